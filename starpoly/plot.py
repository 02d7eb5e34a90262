"""Pictures of results: every function draws on matplotlib axes that it is handed.

None of them opens a window or touches matplotlib's global state; :func:`save_figure` writes a picture
without a display.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DataError, ImageError
from .io.atomic import atomic_path
from .io.overlay import inner_outlines

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def label_colors(labels: ArrayLike) -> NDArray[np.uint8]:
    """Bright colours that depend on an object's id alone, so that an object looks the same in every picture.

    Parameters
    ----------
    labels : (...) integers
        Ids of objects.

    Returns
    -------
    (..., 3) uint8
        Red, green, blue. Hues of successive ids are a golden angle apart, hence far from each other.
    """
    ids = np.asarray(labels, dtype=np.uint64).astype(np.float64)
    hue = np.mod(ids * 0.6180339887498949, 1.0)
    value = np.where(np.mod(ids, 2) == 0, 1.0, 0.85)
    # saturation 0.85; a channel is full near its own hue (0, 1/3, 2/3 of the circle) and falls off linearly
    distance = np.abs(np.mod(hue[..., None] - np.array([0, 1, 2]) / 3 + 0.5, 1.0) - 0.5)
    pure = np.clip(2 - 6 * distance, 0, 1)
    return np.round(255 * value[..., None] * (0.15 + 0.85 * pure)).astype(np.uint8)


def outlines_on_image(image: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.uint8]:
    """The image in grey or colour, every object outlined in its own colour.

    Parameters
    ----------
    image : (height, width) or (height, width, channels)
        Any number type; stretched from its 1st to its 99.8th percentile. Three channels and more: the first three are
        red, green and blue; otherwise the first is shown.
    labels : (height, width) integers
        Label image.

    Returns
    -------
    (height, width, 3) uint8

    Raises
    ------
    ImageError
        If the shapes do not fit.
    """
    if image.ndim not in (2, 3) or image.shape[:2] != labels.shape:
        raise ImageError(
            f"expected an image (y, x) or (y, x, channel) of the labels' shape {labels.shape}, got {image.shape}"
        )
    picture = _as_rgb(image)
    edge = inner_outlines(labels)
    picture[edge] = label_colors(labels[edge])
    return picture


def _as_rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.ndim == 2:
        image = image[..., None]
    channels = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    values = channels.astype(np.float32)
    finite = np.isfinite(values)
    low, high = np.percentile(values[finite], (1, 99.8)) if finite.any() else (0.0, 0.0)
    values = np.where(finite, values, low)
    return np.round(255 * np.clip((values - low) / max(high - low, 1e-12), 0, 1)).astype(np.uint8)


def plot_outlines(axes: Axes, image: NDArray[Any], labels: NDArray[Any], title: str = "") -> None:
    """Show an image with every object outlined in its own colour; see :func:`outlines_on_image`."""
    axes.imshow(outlines_on_image(image, labels), interpolation="nearest")
    axes.set_title(title)
    axes.set_axis_off()


def plot_scores(axes: Axes, thresholds: Sequence[float], scores: Mapping[str, Sequence[float | None]]) -> None:
    """Draw scores over the IoU threshold.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    thresholds : sequence of float
        IoU thresholds.
    scores : mapping of str to sequence of float
        Curves by name, one value per threshold; None leaves a gap. For several models, their AP by the models' names.

    Raises
    ------
    DataError
        If a curve does not have one value per threshold.
    """
    for name, values in scores.items():
        if len(values) != len(thresholds):
            raise DataError(f"{name}: expected {len(thresholds)} values, one per threshold, got {len(values)}")
        axes.plot(thresholds, np.array(values, dtype=np.float64), marker="o", markersize=3, label=name)
    axes.set_xlabel("IoU threshold")
    axes.set_ylabel("score")
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    if scores:
        axes.legend()


def read_log(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Columns of a CSV log with numbers, by name; NaN where a cell is empty or no number.

    A line that was not written to its end is left out.

    Raises
    ------
    DataError
        If the file cannot be read or has no column ``epoch``.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *lines = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a training log (CSV), got: {error}") from error
    if "epoch" not in header:
        raise DataError(
            f"{path}: expected a training log with a column 'epoch', got columns {', '.join(header) or 'none'}"
        )
    rows = [line for line in lines if len(line) == len(header)]
    return {name: np.array([_number(row[column]) for row in rows]) for column, name in enumerate(header)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def plot_losses(axes: Axes, log: str | Path | Mapping[str, ArrayLike], columns: Sequence[str] | None = None) -> None:
    """Draw the losses of a training over its epochs.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    log : path or mapping of str to numbers
        CSV file with a column ``epoch`` and others, or its columns. ``val_x`` is drawn in the colour of ``x``, dashed.
    columns : sequence of str, optional
        What to draw; by default every column whose name contains "loss".

    Raises
    ------
    DataError
        If the log cannot be read, or lacks a column.
    """
    table = {
        name: np.asarray(values, dtype=np.float64)
        for name, values in (log if isinstance(log, Mapping) else read_log(log)).items()
    }
    names = [name for name in table if "loss" in name] if columns is None else list(columns)
    for name in ("epoch", *names):
        if name not in table:
            raise DataError(f"training log: expected a column {name!r}, got {', '.join(table) or 'none'}")
    series = list(dict.fromkeys(name.removeprefix("val_") for name in names))
    drawn = False
    for name in names:
        seen = np.isfinite(table[name])
        style = "--" if name.startswith("val_") else "-"
        color = f"C{series.index(name.removeprefix('val_')) % 10}"
        axes.plot(table["epoch"][seen], table[name][seen], style, color=color, label=name)
        drawn = drawn or bool(np.any(table[name][seen] > 0))
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    if drawn:
        axes.set_yscale("log")
        axes.legend()
    axes.grid(alpha=0.3, which="both")


def save_figure(
    path: str | Path, draw: Callable[[Axes], None], size: tuple[float, float] = (6, 4), dpi: int = 150
) -> None:
    """Write a PNG with one pair of axes that ``draw`` fills; needs no display, and the file appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        File to write.
    draw : callable
        Is handed the axes.
    size : (float, float)
        Width and height in inches.
    dpi : int
        Pixels per inch.

    Raises
    ------
    ImageError
        If the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=dpi)
    except OSError as error:
        raise ImageError(f"{path}: cannot write the picture ({error.strerror}); choose another place") from error

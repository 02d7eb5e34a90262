"""Plot of training losses."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .axes import label_logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def read_log(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Read the numeric columns of a CSV log, by name; NaN for empty or non-numeric cells.

    Incomplete lines are skipped.

    Parameters
    ----------
    path : path
        Such as ``log.csv`` in a model folder.

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
    """Plot the losses of a training over epochs.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    log : path or mapping of str to numbers
        CSV file with a column ``epoch`` and others, or its columns. ``val_x`` is dashed, in the colour of ``x``.
    columns : sequence of str, optional
        Columns to plot. Default: all with "loss" in their name.

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
        # sparse values get markers, so that single points are visible
        marker = "" if seen.all() else "o"
        axes.plot(table["epoch"][seen], table[name][seen], style, color=color, label=name, marker=marker, markersize=4)
        drawn = drawn or bool(np.any(table[name][seen] > 0))
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    if drawn:
        axes.set_yscale("log")
        label_logarithmic(axes.yaxis)
        axes.legend(fontsize="small", ncols=1 + len(names) // 6)
    axes.grid(alpha=0.3, which="both")

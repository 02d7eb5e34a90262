"""Figures as PNG, without a display."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..io.files.atomic import new_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def figure_png(draw: Callable[[Axes], object], size: tuple[float, float] = (6, 4), dpi: int = 150) -> bytes:
    """Render a PNG with one pair of axes, filled by ``draw``.

    Parameters
    ----------
    draw, size, dpi
        As for :func:`save_figure`.

    Returns
    -------
    bytes
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    return stream.getvalue()


def save_figure(
    path: str | Path, draw: Callable[[Axes], object], size: tuple[float, float] = (6, 4), dpi: int = 150
) -> None:
    """Write a PNG with one pair of axes, filled by ``draw``. Atomic; needs no display.

    Parameters
    ----------
    path : str or Path
        File to write.
    draw : callable
        Receives the axes.
    size : (float, float)
        Width and height in inches.
    dpi : int
        Pixels per inch.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    picture = figure_png(draw, size, dpi)
    with new_file(path, "choose another place") as temporary:
        temporary.write_bytes(picture)

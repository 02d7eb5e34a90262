"""Coarse view of an image: intensity extremes per cell of a coarse grid, read in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..images.exact_floats import exact_float
from ..io.readers.source import Source
from ..tiling import Box, cut_along

COARSE_PIXEL = (4.0, 8)
"""Largest pixel size at which the smallest objects still show: micrometres, or image pixels if the size is unknown."""

_CELL = 16
"""Smallest side of a cell, in pixels of the image."""
_VIEW_SIDE = 2048
"""Maximum number of cells along the longer side of the image."""
_SMOOTH = 4
"""Side in pixels of the squares averaged against noise. Smaller than an object."""
_AT_ONCE = 1 << 22
"""Pixels read at once, all channels together."""


@dataclass(frozen=True)
class CoarseView:
    """Extremes of the smoothed intensity in the cells of an image.

    Attributes
    ----------
    low, high : (h, w, C) float32, or float64 of wide numbers
        Darkest and brightest intensity of each cell.
    over : (float, float, float, float)
        Extent of the cells: ``y0, x0, y1, x1`` in pixels of the image.
    step : float
        Smallest step between stored intensities; 0 for floats.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    over: tuple[float, float, float, float]
    step: float

    @property
    def cell_size(self) -> tuple[float, float]:
        """Height and width of a cell in pixels of the image."""
        y0, x0, y1, x1 = self.over
        return (y1 - y0) / self.low.shape[0], (x1 - x0) / self.low.shape[1]


def coarse_view(source: Source, open_level: Callable[[int, Box], Source] | None) -> CoarseView:
    """Compute the coarse view from the coarsest suitable pyramid level.

    Without ``open_level(level, box)``, read the whole source once.
    """
    level = _coarse_level(source)
    if open_level is None or level == source.level:
        return _reduce(source, (1.0, 1.0))
    own, other = source.levels[source.level], source.levels[level]
    factor = (own[0] / other[0], own[1] / other[1])
    (top, left), (height, width) = source.offset, source.shape[:2]
    box = Box(
        math.floor(top / factor[0]),
        math.floor(left / factor[1]),
        math.ceil((top + height) / factor[0]),
        math.ceil((left + width) / factor[1]),
    ).clip(other)
    with open_level(level, box) as coarse:
        view = _reduce(coarse, factor)
    y0, x0, y1, x1 = view.over
    moved = (
        (y0 + box.y0) * factor[0] - top,
        (x0 + box.x0) * factor[1] - left,
        (y1 + box.y0) * factor[0] - top,
        (x1 + box.x0) * factor[1] - left,
    )
    return replace(view, over=moved)


def _coarse_level(source: Source) -> int:
    """The coarsest level that still shows the smallest objects."""
    own = source.levels[source.level]
    largest = COARSE_PIXEL[1] if source.pixel_size is None else COARSE_PIXEL[0] / max(source.pixel_size)
    best = source.level
    for level, other in enumerate(source.levels):
        factor = max(own[0] / other[0], own[1] / other[1])
        if factor <= largest and other[0] < source.levels[best][0]:
            best = level
    return best


def _reduce(source: Source, factor: tuple[float, float]) -> CoarseView:
    """Read a source once, in blocks. ``factor`` is its pixel size in image pixels."""
    shape, origin = source.shape[:2], source.offset
    grids = [
        _Grid.over(length, start, max(1, round(_SMOOTH / size)), max(_CELL / size, max(shape) / _VIEW_SIDE))
        for length, start, size in zip(shape, origin, factor, strict=True)
    ]
    low = np.empty((grids[0].n, grids[1].n, source.shape[2]), exact_float(source.dtype))
    high = np.empty_like(low)
    cell = (grids[0].cell, grids[1].cell)
    unit = tuple(math.lcm(a, b) for a, b in zip(source.block, cell, strict=True))
    if unit[0] * unit[1] > _AT_ONCE:
        unit = cell
    most = max(_AT_ONCE // source.shape[2], cell[0] * cell[1])
    for box in cut_along(shape, (unit[0], unit[1]), most, origin=origin):
        rows, columns = grids[0].part(box.y0, box.y1), grids[1].part(box.x0, box.x1)
        smoothed = _means(source[box.slices], rows, columns)
        for out, extreme in ((low, np.minimum), (high, np.maximum)):
            along_y = extreme.reduceat(smoothed, rows.cells, axis=0)
            out[rows.place, columns.place] = extreme.reduceat(along_y, columns.cells, axis=1)
    over = tuple(grid.lies for grid in grids)
    step = 1.0 if source.dtype.kind in "ui" else 0.0
    return CoarseView(low, high, (over[0][0], over[1][0], over[0][1], over[1][1]), step)


@dataclass(frozen=True)
class _Grid:
    """Cells along an axis, each divided into shorter averaging intervals.

    Both align to multiples of their size in the whole image, like stored blocks. The axis begins at ``start`` and has
    ``length`` pixels.
    """

    length: int
    start: int
    smooth: int
    cell: int

    @classmethod
    def over(cls, length: int, start: int, smooth: int, least: float) -> _Grid:
        """With cells of at least ``least`` pixels."""
        return cls(length, start, smooth, smooth << max(0, math.ceil(math.log2(least / smooth))))

    @property
    def n(self) -> int:
        """Number of cells."""
        return -(-(self.start % self.cell + self.length) // self.cell)

    @property
    def lies(self) -> tuple[float, float]:
        """Borders of the cells, in pixels of the axis."""
        begin = -(self.start % self.cell)
        return float(begin), float(begin + self.n * self.cell)

    def part(self, start: int, stop: int) -> _Part:
        """The cells from ``start`` to ``stop``; ``start`` is a cell border."""
        first = self.start + start
        means = np.unique([0, *range(-first % self.smooth, stop - start, self.smooth)])
        cells = np.searchsorted(means, np.unique([0, *range(-first % self.cell, stop - start, self.cell)]))
        place = first // self.cell - self.start // self.cell
        return _Part(means, np.diff([*means, stop - start]), cells, slice(place, place + len(cells)))


@dataclass(frozen=True)
class _Part:
    """Starts and lengths of the averaging intervals, the first interval of each cell, and the cell indices."""

    means: NDArray[np.intp]
    counts: NDArray[np.intp]
    cells: NDArray[np.intp]
    place: slice


def _means(pixels: NDArray, rows: _Part, columns: _Part) -> NDArray[np.floating]:
    """Averages over small squares; non-finite pixels count as 0."""
    values = pixels.astype(exact_float(pixels.dtype))
    if pixels.dtype.kind == "f":
        values[~np.isfinite(values)] = 0
    values = np.add.reduceat(np.add.reduceat(values, rows.means, axis=0), columns.means, axis=1)
    values /= rows.counts[:, None, None] * columns.counts[:, None]
    return values

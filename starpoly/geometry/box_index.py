"""An index of rectangles that finds those that meet a window: one grid of cells per size, numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..tiling import Box

_CELL = 256
"""Smallest side of a cell, in pixels: larger than most objects."""


class BoxIndex:
    """Find the rectangles that meet a window without testing all of them.

    A rectangle is filed once, under the cell of its lower corner, in the grid whose cells are the smallest of 256, 512,
    1024 ... pixels that are at least as long as its longer side. So a rectangle that meets a window lies in a cell that the
    window meets, or in the cell before. A huge rectangle does not slow down the search for small ones.

    Parameters
    ----------
    low, high : (n, 2) integers >= 0
        Corners ``(y, x)`` of half-open rectangles, in pixels. One without pixels is never found.
    """

    def __init__(self, low: NDArray, high: NDArray) -> None:
        self._low = np.asarray(low, np.int64)
        self._high = np.asarray(high, np.int64)
        sides = self._high - self._low
        filled = np.flatnonzero((sides > 0).all(axis=1))
        longest = np.maximum(sides[filled].max(axis=1, initial=1), _CELL)
        sizes = np.int64(1) << np.ceil(np.log2(longest)).astype(np.int64)
        self._grids = [_Grid(filled[sizes == size], self._low, int(size)) for size in np.unique(sizes)]

    def find(self, window: Box) -> NDArray[np.intp]:
        """Indices of the rectangles that share a pixel with a window, ascending."""
        if min(window.shape) < 1 or not self._grids:
            return np.empty(0, np.intp)
        near = np.concatenate([grid.near(window) for grid in self._grids])
        low, high = self._low[near], self._high[near]
        meets = (low < (window.y1, window.x1)) & (high > (window.y0, window.x0))
        return np.sort(near[meets.all(axis=1)])


class _Grid:
    """Rectangles of at most ``size`` pixels a side, sorted by the cell of their lower corner."""

    def __init__(self, members: NDArray[np.intp], low: NDArray[np.int64], size: int) -> None:
        cells = low[members] // size
        self._size = size
        self._rows, self._columns = (int(count) for count in cells.max(axis=0) + 1)
        keys = cells[:, 0] * self._columns + cells[:, 1]
        order = np.argsort(keys, kind="stable")
        self._keys, self._members = keys[order], members[order]

    def near(self, window: Box) -> NDArray[np.intp]:
        """Members whose cells can hold the lower corner of a rectangle that meets the window."""
        top, left = (max(0, (start - self._size + 1) // self._size) for start in (window.y0, window.x0))
        bottom, right = (window.y1 - 1) // self._size, (window.x1 - 1) // self._size
        rows = np.arange(top, min(bottom + 1, self._rows)) * self._columns
        # past its last column a key would belong to the next row
        starts = np.searchsorted(self._keys, rows + min(left, self._columns), "left")
        stops = np.searchsorted(self._keys, rows + min(right + 1, self._columns), "left")
        found = [self._members[start:stop] for start, stop in zip(starts, stops, strict=True) if start < stop]
        return np.concatenate(found) if found else np.empty(0, np.intp)

"""Polygons of a streaming label image: those that wait for their turn, and bands of those that follow one another by position."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.box_index import BoxIndex
from ..polygons import StarPolygons
from ..tiling import Box
from .lazy import extents

_MARGIN = 2
"""Rows that a polygon may reach above its top vertex, by rounding."""


@dataclass(frozen=True)
class WaitingPolygons:
    """Polygons before which others may still come by position, and the row of each one's topmost point."""

    polygons: StarPolygons
    tops: NDArray[np.float64]

    @classmethod
    def of(cls, polygons: StarPolygons) -> WaitingPolygons:
        """Some polygons, in any order."""
        return cls(polygons, polygons.points[:, 0].astype(np.float64) - polygons.outer_radii)

    def above(self, row: float) -> StarPolygons:
        """Those with centres above a row."""
        inside = self.polygons.points[:, 0] < row
        return self.polygons if inside.all() else self.polygons.take(inside)

    def below(self, row: float) -> WaitingPolygons:
        """Those with centres at or below a row."""
        rest = self.polygons.points[:, 0] >= row
        return self if rest.all() else WaitingPolygons(self.polygons.take(rest), self.tops[rest])


class Band:
    """Polygons that follow one another by position, and what is known of each so far.

    Parameters
    ----------
    polygons : StarPolygons
        In the order of position.
    shape : (int, int)
        Height and width of the image in pixels.
    start : int
        Number of polygons in the bands before.
    margin : int
        Pixels around its box that the labels of a polygon may expand into.

    Attributes
    ----------
    low, high : (n, 2) int64
        Corners ``(y, x)`` of half-open boxes that hold the pixels of each label.
    """

    def __init__(self, polygons: StarPolygons, shape: tuple[int, int], start: int, margin: int) -> None:
        n = len(polygons)
        self.polygons, self.start = polygons, start
        low, high = extents(polygons, shape)
        self._star_tops, self._star_bottoms = low[:, 0], high[:, 0]
        low, high = np.maximum(low - margin, 0), np.minimum(high + margin, shape)
        self.low, self.high = low, high
        self.index = BoxIndex(low, high)
        self._tops, self._bottoms = low[:, 0], high[:, 0]
        self._rows = int(self._tops.min()), int(self._bottoms.max())
        self.areas, self.sums = np.zeros(n, np.int64), np.zeros((2, n))
        self.ids = np.zeros(n, np.int64)  # 0: hidden, or not known yet
        self.n_joined = self.n_numbered = self._n_final = 0  # leading polygons

    def __len__(self) -> int:
        return len(self.ids)

    def touching(self, box: Box) -> NDArray[np.intp]:
        """Rows of the polygons that may have pixels in a box."""
        if box.y0 >= self._rows[1] or box.y1 <= self._rows[0]:
            return np.empty(0, np.intp)
        return self.index.find(box)

    def join(self, certain: int) -> NDArray[np.intp]:
        """Rows of the polygons of which all pixels are certain now, above a row; each is returned once."""
        first = self.n_joined
        self.n_joined += _n_leading(self._star_bottoms[first:] <= certain)
        return np.arange(first, self.n_joined)

    def unjoined_row(self, height: int) -> int:
        """The first row of a polygon of which a pixel is not certain; the image's height if there is none."""
        return int(self._star_tops[self.n_joined :].min(initial=height))

    def number(self, measured: int, last: int) -> int:
        """Number the polygons that show from ``last + 1`` on, as far as the measured rows tell; the last id given."""
        if self.n_numbered == len(self):
            return last
        areas, bottoms = self.areas[self.n_numbered :], self._bottoms[self.n_numbered :]
        n = _n_leading((areas > 0) | (bottoms <= measured))
        shown = areas[:n] > 0
        self.ids[self.n_numbered : self.n_numbered + n] = np.where(shown, last + np.cumsum(shown), 0)
        self.n_numbered += n
        return last + int(shown.sum())

    def count_final(self, measured: int) -> int:
        """Number of leading polygons of which all is known."""
        if self._n_final < len(self):
            self._n_final = min(self.n_numbered, self._n_final + _n_leading(self._bottoms[self._n_final :] <= measured))
        return self._n_final

    def open_row(self, height: int) -> int:
        """The first row that a polygon without an id may touch; the image's height if there is none."""
        return int(self._tops[self.n_numbered :].min(initial=height))

    def shown(self, start: int, stop: int) -> NDArray[np.intp]:
        """Rows of the polygons that show, among those from ``start`` to ``stop`` counted over all bands."""
        first = max(0, start - self.start)
        return first + np.flatnonzero(self.ids[first : max(0, stop - self.start)])


def touching(bands: Sequence[Band], box: Box) -> list[tuple[Band, NDArray[np.intp]]]:
    """Bands with the rows of the polygons that may have pixels in a box; bands without any are left out."""
    found = [(band, band.touching(box)) for band in bands]
    return [(band, rows) for band, rows in found if len(rows)]


def neighbours(band: Band, rows: NDArray[np.intp], side: int) -> Iterator[tuple[NDArray[np.intp], Box]]:
    """Some polygons of a band in groups of those with centres in one block of ``side`` pixels, and the box of their labels."""
    blocks = np.floor(band.polygons.points[rows] / side).astype(np.int64)
    _, group = np.unique(blocks, axis=0, return_inverse=True)
    for index in range(int(group.max(initial=-1)) + 1):
        part = rows[group.ravel() == index]
        yield part, Box(*band.low[part].min(axis=0).tolist(), *band.high[part].max(axis=0).tolist())


def certain_rows(row: float, height: int) -> int:
    """Number of rows of an image above all polygons that begin at ``row``."""
    return height if row == math.inf else min(max(0, math.floor(row) - _MARGIN), height)


def _n_leading(true: NDArray[np.bool_]) -> int:
    """Number of leading True values."""
    return len(true) if true.all() else int(true.argmin())

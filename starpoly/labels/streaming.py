"""The label image of a detection that is still running, given out as far as it is certain.

Polygons come as suppression keeps them (:class:`starpoly.detection.receivers.PolygonReceiver`), with a word on the rows above which none are to come. From
that follows, row by row and in this order:

1. *Whose a pixel is.* It belongs to the best-scored polygon that covers it, and is certain when no polygon can come that does.
2. *What shows.* A polygon shows as soon as one certain pixel is its own, and is hidden when all its pixels are certain and others'.
3. *Ids.* Those that show are numbered 1, 2, 3 ... by position. So an id is certain when it is known of all polygons before whether
   they show.
4. *The picture.* A row can be drawn when it is certain and the ids of all polygons that touch it are.
5. *Measurements.* They are certain when all rows of a polygon are.

Where masks spread over the foreground (:mod:`starpoly.labels.mask_growth`), a polygon touches whatever its mask may reach.

One thread adds, one measures, and as many as like draw and list objects; these wait for what is not certain yet. What they get does not
depend on how the polygons came.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError
from ..geometry.box_index import BoxIndex
from ..geometry.rasterize import render_labels
from ..io.writers.label_tiff import label_dtype
from ..polygons import StarPolygons
from ..tiling import Box, cut
from ..timing import Stopwatch
from .lazy import LazyLabels, extents
from .mask_growth import ForegroundMask, drawn
from .measurements import object_columns

#: Rows that are taken up at once, at least: bands that are much thinner cost more than they bring
BAND = 256
_BLOCK = 1024  # pixels a side that are measured at once
_AT_ONCE = 4096  # objects that are listed at once
_MARGIN = 2  # rows, for rounding


class StoppedError(StarpolyError):
    """Whoever waits for the picture is told that it will not be finished."""


class LabelDtypeOverflow(StarpolyError):
    """There are more objects than a picture's dtype can number."""


class StreamingLabels:
    """Numbers, measures and draws the objects of an image while they are found.

    Memory: the polygons, about 350 bytes for each if it has 32 rays, and the regions that are drawn.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image in pixels.
    class_names : sequence of str
        As for :func:`starpoly.labels.measurements.measure`.
    band : int, optional
        Rows that are taken up at once, at least; of no influence on the result.
    clock : Stopwatch, optional
        Told the seconds of ``measuring``.
    foreground : ForegroundMask, optional
        Labels spread over it. It has to be known below every row of which is said that no polygons are to come.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        class_names: Sequence[str] = (),
        *,
        band: int | None = None,
        clock: Stopwatch | None = None,
        foreground: ForegroundMask | None = None,
    ) -> None:
        self.shape = (int(shape[0]), int(shape[1]))
        self._class_names, self._clock = tuple(class_names), clock or Stopwatch()
        self._band = BAND if band is None else band
        self._foreground = foreground
        self._spread = 0 if foreground is None else foreground.spread
        self._changed = threading.Condition()
        self._stopped: BaseException | None = None
        self._waiting: list[_Waiting] = []
        self._bands: list[_Band] = []
        self._none: StarPolygons | None = None
        self._all: StarPolygons | None = None
        self._whole: LazyLabels | None = None
        self._taken_up = -math.inf  # centres above this row are in the bands
        self._complete = False  # all polygons are
        self._certain = 0  # rows of which each pixel's owner is known
        self._measured = 0  # ... and counted
        self._drawable = 0  # ... and all ids
        self._n_polygons = self._n_final = self._n_ids = 0  # in the bands; of which all is known; that show

    # --- what is told -----------------------------------------------------------------------------

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Take some more polygons; see :class:`starpoly.detection.receivers.PolygonReceiver`.

        Raises
        ------
        BaseException
            What has stopped the picture, if something has.
        """
        with self._changed:
            if self._stopped is not None:
                raise self._stopped
            if self._none is None:
                self._none = polygons.take(np.empty(0, np.intp))
            if len(polygons):
                self._waiting.append(_Waiting.of(polygons))
            if centres >= self._taken_up + self._band:
                self._take_up(centres)
                open_rows = min([points, *(part.tops.min() for part in self._waiting)])
                self._certain = _rows_above(open_rows, self.shape[0], self._spread)
            self._complete = centres == math.inf
            self._changed.notify_all()

    def stop(self, error: BaseException) -> None:
        """End all waiting: something has failed."""
        with self._changed:
            self._stopped = self._stopped or error
            self._changed.notify_all()

    def check(self) -> None:
        """Raise StoppedError if something has failed."""
        with self._changed:
            self._wait_for(lambda: True)

    def _take_up(self, row: float) -> None:
        """Make a band of the polygons with centres above a row."""
        taken = [part.above(row) for part in self._waiting]
        self._waiting = [rest for part in self._waiting if len((rest := part.below(row)).polygons)]
        polygons = self._joined(taken)
        if len(polygons):
            self._bands.append(
                _Band(polygons.take(polygons.position_order()), self.shape, self._n_polygons, self._spread)
            )
            self._n_polygons += len(polygons)
        self._taken_up = row

    def _joined(self, parts: Sequence[StarPolygons]) -> StarPolygons:
        """All polygons of some parts; one part is not copied."""
        if self._none is None:
            raise StarpolyError("labels: expected polygons to be added first, got none")
        filled = [part for part in parts if len(part)] or [self._none]
        return filled[0] if len(filled) == 1 else StarPolygons.concatenate(filled)

    # --- measuring --------------------------------------------------------------------------------

    def measure(self) -> None:
        """Measure and number the objects as they become known, until all are; in a thread of its own.

        Raises
        ------
        StoppedError
            If something else has failed.
        """
        while not self._is_done:
            with self._changed:
                self._wait_for(lambda: self._certain > self._measured or self._complete)
            self.advance()

    def advance(self) -> None:
        """Measure and number what can be by now."""
        with self._changed:
            top, stop, bands = self._measured, self._certain, tuple(self._bands)
        with self._clock.timing("measuring"):
            for y0 in range(top, stop, _BLOCK):
                y1 = min(y0 + _BLOCK, stop)
                self._count_pixels(bands, y0, y1)
                self._number(y1)
        self._number(stop)

    def _count_pixels(self, bands: Sequence[_Band], y0: int, y1: int) -> None:
        """Count what shows of each polygon between two rows."""
        for block in cut((y1 - y0, self.shape[1]), _BLOCK):
            box = Box(block.y0 + y0, block.x0, block.y1 + y0, block.x1)
            found = _touching(bands, box)
            if not found:
                continue
            n = sum(len(rows) for _, rows in found)
            labels = self._draw(found, np.arange(1, n + 1), box)
            y, x = np.nonzero(labels)
            local = labels[y, x].astype(np.int64) - 1
            areas = np.bincount(local, minlength=n)
            sums = np.stack([np.bincount(local, weights=at, minlength=n) for at in (y + box.y0, x + box.x0)])
            start = 0
            for band, rows in found:
                part = slice(start, start + len(rows))
                band.areas[rows] += areas[part]
                band.sums[:, rows] += sums[:, part]
                start += len(rows)

    def _number(self, measured: int) -> None:
        """Give out ids, as far as it is known which polygons show, and find what follows from that."""
        with self._changed:
            self._measured = measured
            for band in self._bands:
                self._n_ids = band.number(measured, self._n_ids)
                if band.n_numbered < len(band):
                    break
            for band in self._bands:
                self._n_final = band.start + band.count_final(measured)
                if self._n_final < band.start + len(band):
                    break
            self._drawable = min([measured, *(band.open_row(self.shape[0]) for band in self._bands)])
            self._changed.notify_all()

    @property
    def _is_done(self) -> bool:
        return self._complete and self._measured == self.shape[0] and self._n_final == self._n_polygons

    # --- what is asked for ------------------------------------------------------------------------

    @property
    def n_ids(self) -> int:
        """Number of objects that have an id by now."""
        return self._n_ids

    @property
    def n_drawable(self) -> int:
        """Number of rows that can be drawn by now."""
        return self._drawable

    def polygons(self) -> StarPolygons:
        """All polygons by position, those that are hidden among them; when none are to come."""
        with self._changed:
            if self._all is None:
                self._all = self._joined([band.polygons for band in self._bands])
                for band in self._bands:  # so that they are not held twice
                    band.polygons = self._all.take(slice(band.start, band.start + len(band)))
            return self._all

    def count(self) -> int:
        """Number of objects that show; waits for the last one."""
        with self._changed:
            self._wait_for(lambda: self._is_done)
            return self._n_ids

    def whole(self) -> LazyLabels:
        """The finished picture; waits for it. Of its polygons those that are hidden own no pixel, whatever their id says."""
        self.count()
        with self._changed:
            if self._whole is None:
                ids = np.concatenate([np.empty(0, np.int64), *(band.ids for band in self._bands)])
                self._whole = LazyLabels(self.polygons(), self.shape, np.maximum(ids, 1), self._foreground)
            return self._whole

    def picture(self) -> Picture:
        """The picture for a file that is begun now: of the smallest dtype that holds the ids by now."""
        return Picture(self, np.dtype(label_dtype(self._n_ids)))

    def objects(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """The objects that show, in the order of their ids, some at a time; waits for those that are not known.

        Yields
        ------
        polygons : StarPolygons
        columns : dict
            As :func:`starpoly.labels.measurements.measure` gives them.
        """
        start, done = 0, False
        while not done:
            with self._changed:
                self._wait_for(lambda: self._n_final > start or self._is_done)  # noqa: B023
                stop = min(self._n_final, start + _AT_ONCE)
                done = self._is_done and stop == self._n_polygons
                bands = [band for band in self._bands if band.start < stop and band.start + len(band) > start]
            yield self._listed([(band, band.shown(start, stop)) for band in bands])
            start = stop

    def region(self, box: Box, step: int, dtype: np.dtype[Any]) -> NDArray:
        """Draw a part of the picture as :meth:`LazyLabels.region` does; waits until it is certain."""
        with self._changed:
            most = np.iinfo(dtype).max
            self._wait_for(lambda: self._is_done or self._n_ids > most or (step == 1 and self._drawable >= box.y1))
            if self._n_ids > most:
                raise LabelDtypeOverflow(f"labels: expected at most {most} objects, got {self._n_ids}")
            bands = tuple(self._bands)
        if step != 1:
            return self.whole().region(box, step).astype(dtype, copy=False)
        found = [(band, rows[band.ids[rows] > 0]) for band, rows in _touching(bands, box)]
        ids = np.concatenate([np.empty(0, np.int64), *(band.ids[rows] for band, rows in found)])
        return self._draw(found, ids, box).astype(dtype)

    def _draw(self, found: Sequence[tuple[_Band, NDArray[np.intp]]], ids: NDArray, box: Box) -> NDArray[np.uint32]:
        """Draw polygons in a box, the best on top, and let them spread."""
        if not found:
            return np.zeros(box.shape, np.uint32)
        polygons = StarPolygons.concatenate([band.polygons.take(rows) for band, rows in found])
        return drawn(self._foreground, lambda wide: render_labels(polygons, self.shape, ids=ids, box=wide), box)

    def _listed(self, found: list[tuple[_Band, NDArray[np.intp]]]) -> tuple[StarPolygons, dict[str, Any]]:
        polygons = self._joined([band.polygons.take(rows) for band, rows in found])
        areas = np.concatenate([np.empty(0, np.int64), *(band.areas[rows] for band, rows in found)])
        sums = np.concatenate([np.empty((2, 0)), *(band.sums[:, rows] for band, rows in found)], axis=1)
        ids = np.concatenate([np.empty(0, np.int64), *(band.ids[rows] for band, rows in found)])
        return polygons, {**object_columns(areas, sums, polygons, self._class_names), "label": ids}

    def _wait_for(self, event: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: self._stopped is not None or event())
        if self._stopped is not None:
            raise StoppedError(
                "labels: expected a picture that is finished, got one that was stopped"
            ) from self._stopped


@dataclass(frozen=True)
class Picture:
    """A growing picture as the sinks take it: with a dtype. A region raises LabelDtypeOverflow when that holds the ids no more."""

    growing: StreamingLabels
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.growing.shape

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box, as soon as it is certain."""
        return self.growing.region(box, step, self.dtype)


@dataclass(frozen=True)
class _Waiting:
    """Polygons before which others may come, and the rows that they begin in."""

    polygons: StarPolygons
    tops: NDArray[np.float64]

    @classmethod
    def of(cls, polygons: StarPolygons) -> _Waiting:
        return cls(polygons, polygons.points[:, 0].astype(np.float64) - polygons.outer_radii)

    def above(self, row: float) -> StarPolygons:
        inside = self.polygons.points[:, 0] < row
        return self.polygons if inside.all() else self.polygons.take(inside)

    def below(self, row: float) -> _Waiting:
        rest = self.polygons.points[:, 0] >= row
        return self if rest.all() else _Waiting(self.polygons.take(rest), self.tops[rest])


class _Band:
    """Polygons that follow one another in position, with room to spread, and what is known of them by now."""

    def __init__(self, polygons: StarPolygons, shape: tuple[int, int], start: int, spread: int) -> None:
        n = len(polygons)
        self.polygons, self.start = polygons, start
        low, high = extents(polygons, shape)
        low, high = np.maximum(low - spread, 0), np.minimum(high + spread, shape)
        self.index = BoxIndex(low, high)
        self._tops, self._bottoms = low[:, 0], high[:, 0]
        self._rows = int(self._tops.min()), int(self._bottoms.max())
        self.areas, self.sums = np.zeros(n, np.int64), np.zeros((2, n))
        self.ids = np.zeros(n, np.int64)  # 0 for those that are hidden, and as long as that is not known
        self.n_numbered = self._n_final = 0  # from the first

    def __len__(self) -> int:
        return len(self.ids)

    def touching(self, box: Box) -> NDArray[np.intp]:
        """Those that may have pixels in a box."""
        if box.y0 >= self._rows[1] or box.y1 <= self._rows[0]:
            return np.empty(0, np.intp)
        return self.index.find(box)

    def number(self, measured: int, last: int) -> int:
        """Give ids above ``last`` to those that show, as far as that is known by the rows measured; the last id given."""
        if self.n_numbered == len(self):
            return last
        areas, bottoms = self.areas[self.n_numbered :], self._bottoms[self.n_numbered :]
        n = _n_leading((areas > 0) | (bottoms <= measured))
        shown = areas[:n] > 0
        self.ids[self.n_numbered : self.n_numbered + n] = np.where(shown, last + np.cumsum(shown), 0)
        self.n_numbered += n
        return last + int(shown.sum())

    def count_final(self, measured: int) -> int:
        """Number of polygons, from the first, of which all is known."""
        if self._n_final < len(self):
            self._n_final = min(self.n_numbered, self._n_final + _n_leading(self._bottoms[self._n_final :] <= measured))
        return self._n_final

    def open_row(self, height: int) -> int:
        """The first row that a polygon without an id may touch, or the image's height."""
        return int(self._tops[self.n_numbered :].min(initial=height))

    def shown(self, start: int, stop: int) -> NDArray[np.intp]:
        """Of the polygons from ``start`` to ``stop``, counted over all bands, those that show."""
        first = max(0, start - self.start)
        return first + np.flatnonzero(self.ids[first : max(0, stop - self.start)])


def _touching(bands: Sequence[_Band], box: Box) -> list[tuple[_Band, NDArray[np.intp]]]:
    """The polygons of each band that may have pixels in a box; bands without any are left out."""
    found = [(band, band.touching(box)) for band in bands]
    return [(band, rows) for band, rows in found if len(rows)]


def _rows_above(row: float, height: int, spread: int) -> int:
    """Number of whole rows of an image that nothing reaches which begins at ``row`` and spreads."""
    return height if row == math.inf else min(max(0, math.floor(row) - _MARGIN - spread), height)


def _n_leading(true: NDArray[np.bool_]) -> int:
    """How many come before the first that is not true."""
    return len(true) if true.all() else int(true.argmin())

"""The label image of a running detection, available as far as it is certain.

Suppression hands over kept polygons together with the rows above which none will follow
(:class:`starpoly.detection.receivers.PolygonReceiver`). From these follow, row by row and in this order:

1. *Owners.* A pixel belongs to the best-scored polygon that covers it. It is certain once no further polygon can cover it.
2. *Pieces.* Of what a polygon owns, the largest piece stays (:mod:`starpoly.labels.scraps`). It is known once the polygon's
   owners are certain. A row is settled once that is known of all polygons that may reach it.
3. *Visibility.* A polygon shows once it owns a settled pixel. It is hidden once all its pixels are settled and others'.
4. *Ids.* Visible polygons are numbered 1, 2, 3 ... by position. An id is certain once the visibility of all polygons before
   is known.
5. *Drawing.* A row can be drawn once it is settled and the ids of all polygons that touch it are certain.
6. *Measurements.* They are certain once all rows of a polygon are.

Where labels expand into the foreground (:mod:`starpoly.labels.mask_growth`), a polygon touches all that its label may reach.

One thread adds polygons, one measures, any number draw and list objects. These wait for what is not certain yet. Their results
do not depend on the order in which polygons arrive.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError
from ..geometry.pieces import lost_pieces
from ..geometry.rasterize import render_labels
from ..io.writers.label_tiff import label_dtype
from ..polygons import Outline, StarPolygons
from ..tiling import Box, cut
from ..timing import Stopwatch
from .bands import Band, WaitingPolygons, certain_rows, neighbours, touching
from .lazy import LazyLabels, label_boxes
from .mask_growth import ForegroundMask, drawn
from .measurements import object_columns
from .outlines import mask_outlines
from .scraps import Scraps

BAND = 256
"""Fewest rows of a band: each band has an index of its own, so much thinner ones are slower."""
_BLOCK = 1024
"""Side in pixels of the blocks that are measured at once: 4 MB of labels."""
_AT_ONCE = 4096
"""Objects listed at once."""


class StoppedError(StarpolyError):
    """The label image will not be finished; raised in all threads that wait for it."""


class LabelDtypeOverflow(StarpolyError):
    """There are more objects than the dtype of a label image can number."""


class StreamingLabels:
    """Number, measure and draw the objects of an image while they are detected.

    Memory: about 350 bytes per polygon with 32 rays, and the regions being drawn.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image in pixels.
    class_names : sequence of str
        As for :func:`starpoly.labels.measure`.
    band : int, optional
        Fewest rows of a band; results do not depend on it.
    clock : Stopwatch, optional
        Counts the seconds of ``measuring``.
    foreground : ForegroundMask, optional
        Labels expand into it. It must be complete down to each row above which no polygons will follow.
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
        self._scraps = Scraps()
        self._changed = threading.Condition()
        self._stopped: BaseException | None = None
        self._waiting: list[WaitingPolygons] = []
        self._bands: list[Band] = []
        self._none: StarPolygons | None = None
        self._all: StarPolygons | None = None
        self._whole: LazyLabels | None = None
        self._taken_up = -math.inf  # centres above this row are in the bands
        self._complete = False  # all polygons are
        self._certain = 0  # rows of which each pixel's owner is known
        self._joined_rows = 0  # ... and that were looked through for pieces
        self._measured = 0  # ... and counted
        self._drawable = 0  # ... and all ids
        self._n_polygons = self._n_final = self._n_ids = 0  # in the bands; of which all is known; that show

    def __repr__(self) -> str:
        height, width = self.shape
        return f"StreamingLabels({height} x {width} px, {self.n_ids} objects and {self.n_drawable} rows so far)"

    # --- polygons come in -----------------------------------------------------------------------------

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Add polygons; see :class:`starpoly.detection.receivers.PolygonReceiver`.

        Raises
        ------
        BaseException
            The error of :meth:`stop`, if it was called.
        """
        with self._changed:
            if self._stopped is not None:
                raise self._stopped
            if self._none is None:
                self._none = polygons.take(np.empty(0, np.intp))
            if len(polygons):
                self._waiting.append(WaitingPolygons.of(polygons))
            if centres >= self._taken_up + self._band:
                self._take_up(centres)
                open_rows = min([points, *(part.tops.min() for part in self._waiting)])
                self._certain = certain_rows(open_rows, self.shape[0])
            self._complete = centres == math.inf
            self._changed.notify_all()

    def stop(self, error: BaseException) -> None:
        """End all waiting with StoppedError, because of an error elsewhere."""
        with self._changed:
            self._stopped = self._stopped or error
            self._changed.notify_all()

    def check(self) -> None:
        """Raise StoppedError if the label image was stopped."""
        with self._changed:
            self._wait_for(lambda: True)

    def _take_up(self, row: float) -> None:
        """Make a band of the waiting polygons with centres above a row."""
        taken = [part.above(row) for part in self._waiting]
        self._waiting = [rest for part in self._waiting if len((rest := part.below(row)).polygons)]
        polygons = self._joined(taken)
        if len(polygons):
            self._bands.append(
                Band(polygons.take(polygons.position_order()), self.shape, self._n_polygons, self.margin)
            )
            self._n_polygons += len(polygons)
        self._taken_up = row

    @property
    def margin(self) -> int:
        """How far labels expand, in pixels; known once the image is being looked at."""
        return 0 if self._foreground is None else self._foreground.distance

    def _joined(self, parts: Sequence[StarPolygons]) -> StarPolygons:
        """All polygons of some parts; a single part is not copied."""
        if self._none is None:
            raise StarpolyError("labels: expected polygons to be added first, got none")
        filled = [part for part in parts if len(part)] or [self._none]
        return filled[0] if len(filled) == 1 else StarPolygons.concatenate(filled)

    # --- measuring --------------------------------------------------------------------------------

    def measure(self) -> None:
        """Measure and number all objects as they become certain; in a thread of its own.

        Raises
        ------
        StoppedError
            If the label image was stopped.
        """
        while not self._is_done:
            with self._changed:
                self._wait_for(lambda: self._certain > self._joined_rows or self._complete)
            self.advance()

    def advance(self) -> None:
        """Measure and number the objects that are certain by now."""
        with self._changed:
            top, certain, bands = self._measured, self._certain, tuple(self._bands)
        with self._clock.timing("measuring"):
            for band in bands:
                self._find_scraps(bands, band, band.join(certain))
            self._joined_rows = certain
            stop = self._settled_rows(bands, certain)
            for y0 in range(top, stop, _BLOCK):
                y1 = min(y0 + _BLOCK, stop)
                self._count_pixels(bands, y0, y1)
                self._number(y1)
        self._number(stop)

    def _find_scraps(self, bands: Sequence[Band], band: Band, rows: NDArray[np.intp]) -> None:
        """Find the pieces that some polygons of a band lose."""
        for part, box in neighbours(band, rows, _BLOCK):
            found = touching(bands, box)
            if not found:  # polygons outside the image
                continue
            wanted = np.concatenate([np.isin(at, part) if of is band else np.zeros(len(at), bool) for of, at in found])
            runs = lost_pieces(self._stars(found, np.arange(1, len(wanted) + 1), box))
            offset = np.array([box.y0, box.x0, box.x0])
            self._scraps.add(runs[wanted[runs[:, 3] - 1], :3] + offset)

    def _settled_rows(self, bands: Sequence[Band], certain: int) -> int:
        """Number of rows above all labels that may still change."""
        height = self.shape[0]
        rows = min([certain, *(band.unjoined_row(height) for band in bands)])
        return rows if rows == height else max(rows - self.margin, 0)

    def _count_pixels(self, bands: Sequence[Band], y0: int, y1: int) -> None:
        """Count the pixels that each polygon owns between two rows."""
        for block in cut((y1 - y0, self.shape[1]), _BLOCK):
            box = Box(block.y0 + y0, block.x0, block.y1 + y0, block.x1)
            found = touching(bands, box)
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
        """Give ids as far as visibility is known, and find which rows can be drawn."""
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

    # --- results go out ------------------------------------------------------------------------

    @property
    def n_ids(self) -> int:
        """Number of objects with an id so far."""
        return self._n_ids

    @property
    def n_drawable(self) -> int:
        """Number of rows that can be drawn so far."""
        return self._drawable

    def polygons(self) -> StarPolygons:
        """All polygons by position, hidden ones among them; once none will follow."""
        with self._changed:
            if self._all is None:
                self._all = self._joined([band.polygons for band in self._bands])
                for band in self._bands:  # views, so that they are not held twice
                    band.polygons = self._all.take(slice(band.start, band.start + len(band)))
            return self._all

    def count(self) -> int:
        """Number of visible objects; waits for the last one."""
        with self._changed:
            self._wait_for(lambda: self._is_done)
            return self._n_ids

    def whole(self) -> LazyLabels:
        """The finished label image; waits for it. Its hidden polygons own no pixel, whatever their id."""
        self.count()
        with self._changed:
            if self._whole is None:
                ids = np.concatenate([np.empty(0, np.int64), *(band.ids for band in self._bands)])
                self._whole = LazyLabels(
                    self.polygons(), self.shape, np.maximum(ids, 1), self._foreground, self._scraps
                )
            return self._whole

    def picture(self) -> Picture:
        """The label image for a file that is begun now: of the smallest dtype that holds the ids so far."""
        return Picture(self, np.dtype(label_dtype(self._n_ids)))

    def objects(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """The visible objects in the order of their ids, some at a time; waits for those that are not certain yet.

        Returns
        -------
        iterator of (polygons, columns)
            Columns as :func:`starpoly.labels.measure` gives them.
        """
        return map(self._listed, self._final())

    def _final(self) -> Iterator[list[tuple[Band, NDArray[np.intp]]]]:
        """The visible objects of which all is known, some at a time; waits for the others."""
        start, done = 0, False
        while not done:
            with self._changed:
                self._wait_for(lambda: self._n_final > start or self._is_done)  # noqa: B023
                stop = min(self._n_final, start + _AT_ONCE)
                done = self._is_done and stop == self._n_polygons
                bands = [band for band in self._bands if band.start < stop and band.start + len(band) > start]
            yield [(band, band.shown(start, stop)) for band in bands]
            start = stop

    def boxes(self, polygons: StarPolygons) -> NDArray[np.int64]:
        """Boxes that hold the labels of some polygons, see :func:`starpoly.labels.lazy.label_boxes`."""
        return label_boxes(polygons, self.shape, self.margin)

    def final(self, box: Box) -> NDArray:
        """The labels in a box, as uint32; waits until they are certain."""
        return self.region(box, 1, np.dtype(np.uint32))

    def outlined(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """As :meth:`objects`, with the outlines of masks (:mod:`starpoly.labels.outlines`)."""
        for found in self._final():
            polygons, columns = self._listed(found)
            outlines = [outline for band, rows in found for outline in self._outlines(band, rows)]
            yield replace(polygons, outlines=outlines), columns

    def _outlines(self, band: Band, rows: NDArray[np.intp]) -> list[Outline | None]:
        """The outlines of some polygons of a band of which all is known."""
        bands, outlines = tuple(self._bands), dict[int, Outline | None]()
        for part, box in neighbours(band, rows, _BLOCK):
            found = touching(bands, box)
            numbers = np.concatenate([of.start + at for of, at in found])
            labels = self._draw(found, np.arange(1, len(numbers) + 1), box)
            order = numbers.argsort()
            ids = 1 + order[np.searchsorted(numbers[order], band.start + part)]
            polygons = band.polygons.take(part)
            of_part = mask_outlines(polygons, labels, ids, band.low[part], band.high[part], (box.y0, box.x0))
            outlines |= dict(zip(part.tolist(), of_part, strict=True))
        return [outlines[row] for row in rows.tolist()]

    def region(self, box: Box, step: int, dtype: np.dtype[Any]) -> NDArray:
        """Draw a box as :meth:`LazyLabels.region` does; waits until it is certain."""
        with self._changed:
            most = np.iinfo(dtype).max
            self._wait_for(lambda: self._is_done or self._n_ids > most or (step == 1 and self._drawable >= box.y1))
            if self._n_ids > most:
                raise LabelDtypeOverflow(f"labels: expected at most {most} objects, got {self._n_ids}")
            bands = tuple(self._bands)
        if step != 1:
            return self.whole().region(box, step).astype(dtype, copy=False)
        found = [(band, rows[band.ids[rows] > 0]) for band, rows in touching(bands, box)]
        ids = np.concatenate([np.empty(0, np.int64), *(band.ids[rows] for band, rows in found)])
        return self._draw(found, ids, box).astype(dtype)

    def _draw(self, found: Sequence[tuple[Band, NDArray[np.intp]]], ids: NDArray, box: Box) -> NDArray[np.uint32]:
        """Draw polygons in a box, the best on top, and expand them."""
        if not found:
            return np.zeros(box.shape, np.uint32)
        return drawn(self._foreground, lambda wide: self._scraps.erase(self._stars(found, ids, wide), wide), box)

    def _stars(self, found: Sequence[tuple[Band, NDArray[np.intp]]], ids: NDArray, box: Box) -> NDArray[np.uint32]:
        """Draw polygons in a box, the best on top."""
        polygons = StarPolygons.concatenate([band.polygons.take(rows) for band, rows in found])
        return render_labels(polygons, self.shape, ids=ids, box=box)

    def _listed(self, found: list[tuple[Band, NDArray[np.intp]]]) -> tuple[StarPolygons, dict[str, Any]]:
        polygons = self._joined([band.polygons.take(rows) for band, rows in found])
        areas = np.concatenate([np.empty(0, np.int64), *(band.areas[rows] for band, rows in found)])
        sums = np.concatenate([np.empty((2, 0)), *(band.sums[:, rows] for band, rows in found)], axis=1)
        ids = np.concatenate([np.empty(0, np.int64), *(band.ids[rows] for band, rows in found)])
        return polygons, {**object_columns(areas, sums, polygons, self._class_names), "label": ids}

    def _wait_for(self, event: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: self._stopped is not None or event())
        if self._stopped is not None:
            raise StoppedError("labels: expected a finished label image, got one that was stopped") from self._stopped


@dataclass(frozen=True)
class Picture:
    """A streaming label image as writers take it, with a dtype; a region raises LabelDtypeOverflow if that cannot hold the ids."""

    labels: StreamingLabels
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.labels.shape

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box, as soon as it is certain."""
        return self.labels.region(box, step, self.dtype)

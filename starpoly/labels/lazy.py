"""Label images of any size, drawn region by region from the polygons."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import StarpolyError
from ..geometry.box_index import BoxIndex
from ..geometry.rasterize import render_labels
from ..io.writers.label_tiff import label_dtype
from ..polygons import StarPolygons
from ..tiling import Box, cut
from .mask_growth import ForegroundMask, drawn
from .scraps import Scraps

_BLOCK = 1024
"""Side in pixels of the blocks in which a region is drawn in full, for a step that cannot be drawn directly: 4 MB."""
_AT_ONCE = 1 << 16
"""Polygons copied at once: about 9 MB with 32 rays."""


class LazyLabels:
    """The label image of a set of polygons; only the regions asked for are drawn.

    Every region equals that crop of :func:`starpoly.geometry.render_labels` of the whole image. It costs what the
    polygons that touch it cost. Memory: the polygons, about 50 bytes more for each, and the region.

    Parameters
    ----------
    polygons : StarPolygons
        ``n`` polygons in any order.
    shape : (int, int)
        Height and width of the image in pixels.
    ids : (n,) integers > 0, optional
        Label of each polygon, by position. Default: 1 for the best-scored up to ``n``; so if the polygons are sorted by
        score, polygon ``i`` becomes ``i + 1``.
    foreground : ForegroundMask, optional
        Labels expand into it. Reduced regions then cost what full ones do.
    scraps : Scraps, optional
        Pixels that no polygon owns.

    Attributes
    ----------
    dtype : numpy.dtype
        The smaller of uint16 and uint32 that holds the ids.

    Raises
    ------
    StarpolyError
        If the shape is not positive, coordinates are not finite, distances negative, or ``ids`` are no labels.

    Examples
    --------
    >>> labels = LazyLabels(polygons, (100_000, 80_000))  # doctest: +SKIP
    >>> labels[2048:3072, :1024]  # doctest: +SKIP
    >>> labels.region(Box(0, 0, 100_000, 80_000), step=64)  # doctest: +SKIP
    """

    ndim = 2

    def __init__(
        self,
        polygons: StarPolygons,
        shape: tuple[int, int],
        ids: ArrayLike | None = None,
        foreground: ForegroundMask | None = None,
        scraps: Scraps | None = None,
    ) -> None:
        if len(shape) != 2 or min(shape) < 1:
            raise StarpolyError(f"labels: expected a positive height and width, got {shape}")
        _check_polygons(polygons)
        self.polygons = polygons
        self.shape = (int(shape[0]), int(shape[1]))
        order = polygons.score_order()
        self._ranks = np.empty(len(order), np.intp)
        self._ranks[order] = np.arange(len(order))
        self.ids = _check_ids(self._ranks + 1 if ids is None else np.asarray(ids), len(polygons))
        self.dtype = np.dtype(label_dtype(int(self.ids.max(initial=0))))
        self._index = BoxIndex(*extents(polygons, self.shape))
        self._foreground, self._scraps = foreground, scraps

    def __repr__(self) -> str:
        return f"LazyLabels({self.shape[0]} x {self.shape[1]} px, {len(self.polygons)} polygons, {self.dtype})"

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray:
        """``labels[y0:y1, x0:x1]``, with numpy's meaning of slices; a step > 0 must be the same along both axes."""
        if not (isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, slice) for part in key)):
            raise StarpolyError(f"labels: expected two slices [y0:y1, x0:x1], got {key!r}")
        rows, columns = (range(*part.indices(length)) for part, length in zip(key, self.shape, strict=True))
        if rows.step != columns.step or rows.step < 1:
            raise StarpolyError(f"labels: expected equal steps > 0 along y and x, got {rows.step} and {columns.step}")
        box = Box(rows.start, columns.start, max(rows.start, rows.stop), max(columns.start, columns.stop))
        return self.region(box, rows.step)

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Draw a part of the image.

        Parameters
        ----------
        box : Box
            In pixels of the full resolution, inside the image.
        step : int
            Every ``step``-th pixel of the box along both axes, beginning with its first. A power of two at a box
            that starts at multiples of it is drawn directly, at the cost of the small image.

        Returns
        -------
        (ceil(height / step), ceil(width / step)) array of ``dtype``
            Axes YX; 0 is background.

        Raises
        ------
        StarpolyError
            If the box is not inside the image or the step not positive.
        """
        if box.clip(self.shape) != box or min(box.shape) < 0:
            raise StarpolyError(
                f"labels: expected a box inside the image of shape {self.shape}, got {box}; use box.clip(shape)"
            )
        if step < 1:
            raise StarpolyError(f"labels: expected a step of at least 1, got {step}")
        if step & (step - 1) or box.y0 % step or box.x0 % step or (step > 1 and self._foreground is not None):
            return self._stride(box, step)
        return drawn(self._foreground, partial(self._polygons_in, step=step), box).astype(self.dtype, copy=False)

    def _polygons_in(self, box: Box, step: int) -> NDArray[np.uint32]:
        rows = self.touching(box)
        labels = self._draw(rows, self.ids[rows], box, step)
        return labels if self._scraps is None else self._scraps.erase(labels, box, step)

    def touching(self, box: Box) -> NDArray[np.intp]:
        """Positions of the polygons that may have pixels in a box, best score first."""
        rows = self._index.find(box)
        return rows[np.argsort(self._ranks[rows])]

    def _draw(self, rows: NDArray[np.intp], ids: NDArray, box: Box, step: int = 1) -> NDArray[np.uint32]:
        """Draw the polygons ``rows``, given best first, as ``ids``."""
        small = Box(box.y0 // step, box.x0 // step, -(-box.y1 // step), -(-box.x1 // step))
        shape = (-(-self.shape[0] // step), -(-self.shape[1] // step))
        out = np.zeros(small.shape, np.uint32)
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            # a power of two changes exponents only: every pixel is decided as at full resolution
            polygons = _shrink(self.polygons, rows[part], step)
            # drawn pixels stay on top, so the parts may follow each other
            render_labels(polygons, shape, ids=ids[part], box=small, out=out)
        return out

    def _stride(self, box: Box, step: int) -> NDArray:
        """Draw blocks at full resolution and take every ``step``-th pixel."""
        size = step * max(1, _BLOCK // step)
        out = np.empty((-(-box.shape[0] // step), -(-box.shape[1] // step)), self.dtype)
        for block in cut(box.shape, size):
            place = out[block.y0 // step : -(-block.y1 // step), block.x0 // step : -(-block.x1 // step)]
            shifted = Box(block.y0 + box.y0, block.x0 + box.x0, block.y1 + box.y0, block.x1 + box.x0)
            place[...] = self.region(shifted)[::step, ::step]
        return out


def _check_polygons(polygons: StarPolygons) -> None:
    if not (np.isfinite(polygons.points).all() and np.isfinite(polygons.distances).all()):
        raise StarpolyError(
            "labels: expected finite points and distances, got NaN or infinity; leave those polygons out"
        )
    if polygons.distances.min(initial=0) < 0:
        raise StarpolyError(f"labels: expected distances >= 0, got {polygons.distances.min()}; clip them")


def _check_ids(ids: NDArray, n: int) -> NDArray:
    if ids.shape != (n,) or ids.dtype.kind not in "ui":
        raise StarpolyError(f"labels: expected {n} integer ids, got {ids.dtype} of shape {ids.shape}")
    if n and ids.min() < 1:
        raise StarpolyError(f"labels: expected ids from 1, got {ids.min()}; 0 is background")
    return ids


def extents(polygons: StarPolygons, shape: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bounding boxes of the pixels of polygons.

    Parameters
    ----------
    polygons : StarPolygons
        ``n`` polygons.
    shape : (int, int)
        Height and width of the image in pixels.

    Returns
    -------
    low, high : (n, 2) int64
        Corners ``(y, x)`` of half-open boxes in the image.
    """
    points = polygons.points.astype(np.float64)
    radii = polygons.outer_radii.astype(np.float64)[:, None]
    # one pixel more than needed, so that no rounding of a vertex leaves the box
    low = np.clip(np.floor(points - radii) - 1, 0, shape)
    high = np.clip(np.ceil(points + radii) + 2, 0, shape)
    return low.astype(np.int64), high.astype(np.int64)


def label_boxes(polygons: StarPolygons, shape: tuple[int, int], margin: int = 0) -> NDArray[np.int64]:
    """Half-open boxes ``(y0, x0, y1, x1)`` (n, 4) that hold the labels of polygons, which may expand by ``margin`` pixels.

    Parameters
    ----------
    polygons, shape
        As for :func:`extents`.
    margin : int
    """
    low, high = extents(polygons, shape)
    return np.concatenate([np.maximum(low - margin, 0), np.minimum(high + margin, shape)], axis=1)


def _shrink(polygons: StarPolygons, rows: NDArray[np.intp], step: int) -> StarPolygons:
    factor = np.float32(1 / step)
    return StarPolygons(polygons.points[rows] * factor, polygons.distances[rows] * factor, polygons.probabilities[rows])

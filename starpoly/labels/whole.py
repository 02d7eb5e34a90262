"""The label image of a finished detection, held in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.rasterize import render_labels
from ..io.writers.label_tiff import label_dtype
from ..polygons import StarPolygons
from ..tiling import Box
from .lazy import extents, label_boxes
from .mask_growth import ForegroundMask
from .measurements import keep_visible, measure
from .outlines import mask_outlines
from .scraps import erase_scraps


class WholeLabels:
    """Labels of all pixels of an image, and the objects that show; :class:`~starpoly.labels.streaming.StreamingLabels` for
    an image that fits into memory. Both give the same labels, objects and measurements.

    Parameters
    ----------
    polygons : StarPolygons
        All objects, in the order of their centres (:meth:`StarPolygons.position_order`).
    shape : (int, int)
        Height and width of the image in pixels.
    foreground : ForegroundMask, optional
        Labels expand into it.
    class_names : sequence of str
        As for :func:`starpoly.labels.measure`.

    Attributes
    ----------
    labels : (Y, X) int32
        0 background, 1..n the objects of which a pixel shows, each in one connected piece.
    polygons : StarPolygons
        These objects; polygon ``i - 1`` has label ``i``.
    dtype : numpy.dtype
        The smaller of uint16 and uint32 that holds the labels.
    margin : int
        Pixels by which labels may reach beyond their polygons.
    """

    def __init__(
        self,
        polygons: StarPolygons,
        shape: tuple[int, int],
        foreground: ForegroundMask | None = None,
        class_names: Sequence[str] = (),
    ) -> None:
        ids = np.arange(1, len(polygons) + 1)
        drawn = erase_scraps(render_labels(polygons, shape, ids=ids).astype(np.int32, copy=False))
        labels, self.polygons = keep_visible(drawn, polygons)
        self.labels: NDArray[np.int32] = labels if foreground is None else foreground.expand(labels)
        self.shape = (int(shape[0]), int(shape[1]))
        self.margin = 0 if foreground is None else foreground.distance
        self.dtype = np.dtype(label_dtype(len(self.polygons)))
        self._class_names = tuple(class_names)

    def __repr__(self) -> str:
        return f"WholeLabels({self.shape[0]} x {self.shape[1]} px, {self.count()} objects, {self.dtype})"

    def count(self) -> int:
        """Number of objects."""
        return len(self.polygons)

    @cached_property
    def columns(self) -> dict[str, Any]:
        """Measurements of the objects, see :func:`starpoly.labels.measure`."""
        return measure(self.labels, self.polygons, self._class_names)

    def objects(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """Polygons and measurements of all objects, in one part."""
        yield self.polygons, self.columns

    def boxes(self, polygons: StarPolygons) -> NDArray[np.int64]:
        """Boxes that hold the labels of some polygons, see :func:`starpoly.labels.lazy.label_boxes`."""
        return label_boxes(polygons, self.shape, self.margin)

    def final(self, box: Box) -> NDArray:
        """The labels in a box."""
        return self.labels[box.slices]

    def outlined(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """As :meth:`objects`, with the outlines of masks (:mod:`starpoly.labels.outlines`)."""
        yield self.with_outlines, self.columns

    @cached_property
    def with_outlines(self) -> StarPolygons:
        """The polygons, with the outlines of those whose label is not the polygon's pixels."""
        low, high = extents(self.polygons, self.shape)
        low, high = np.maximum(low - self.margin, 0), np.minimum(high + self.margin, self.shape)
        ids = np.arange(1, len(self.polygons) + 1)
        return replace(self.polygons, outlines=mask_outlines(self.polygons, self.labels, ids, low, high))

    def picture(self) -> WholeLabels:
        """The label image as writers take it: itself."""
        return self

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box."""
        return self.labels[box.y0 : box.y1 : step, box.x0 : box.x1 : step].astype(self.dtype)

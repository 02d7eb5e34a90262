"""Cells from nuclei: label images that expand by a distance, whole or region by region.

Each region is drawn with a margin as wide as labels may expand, so it equals that part of the whole image: cells do not depend
on tiling.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ImageError
from ..geometry.nearest_label import Reach, expand_to_nearest
from ..io.writers.pyramid import RegionLabels
from ..polygons import StarPolygons
from ..tiling import Box, cut
from .lazy import extents
from .streaming import StreamingLabels
from .whole import WholeLabels

_BLOCK = 1024
"""Side in pixels of the blocks that are expanded at once: 4 MB of labels, 8 MB beside them."""

_DISTANCE = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(px|um|µm|μm|)\s*")


@dataclass(frozen=True)
class Expansion:
    """A distance by which labels expand.

    Parameters
    ----------
    distance : float
    unit : {"px", "um"}
        Pixels of the image, or micrometres.
    """

    distance: float
    unit: str = "px"

    @classmethod
    def of(cls, distance: Expansion | float | str) -> Expansion:
        """A distance given as number of pixels, or as text: ``"12"``, ``"12px"``, ``"5um"``.

        Raises
        ------
        ConfigError
            If it is none of these, not positive, or too large.
        """
        if isinstance(distance, Expansion):
            return distance
        found = _DISTANCE.fullmatch(str(distance))
        value = float(found[1]) if found else 0.0
        if found is None or not 0 < value < float("inf"):
            raise ConfigError(
                f"expand: expected a distance above 0 in pixels or micrometres, such as 12, '12px' or '5um', got {distance!r}"
            )
        expansion = cls(value, "um" if found[2].endswith("m") else "px")
        if expansion.unit == "px":
            expansion.reach(None)  # which may be too large
        return expansion

    def __str__(self) -> str:
        return f"{self.distance:g}{self.unit}"

    def reach(self, pixel_size: tuple[float, float] | None) -> Reach:
        """The distance in pixels.

        Parameters
        ----------
        pixel_size : (float, float) or None
            Micrometres per pixel (y, x).

        Raises
        ------
        ConfigError
            If the distance is in micrometres and the pixel size is not known, or if it is too large.
        """
        if self.unit == "px":
            return Reach(self.distance)
        if pixel_size is None:
            raise ConfigError(
                f"expand: expected an image with a pixel size, to convert {self.distance:g} um to pixels, got one without; "
                "give the pixel size (--pixel-size), or the distance in pixels"
            )
        return Reach(self.distance / pixel_size[1], pixel_size[0] / pixel_size[1])


def expand_labels(
    labels: NDArray, distance: float | str, pixel_size: tuple[float, float] | float | None = None
) -> NDArray:
    """Grow objects into the background without overlaps: cells from nuclei.

    Every background pixel within the distance of an object takes the label of the nearest one. Distances are Euclidean
    between centres of pixels, and exact. Of several objects at the same distance it takes the smallest label.

    Parameters
    ----------
    labels : (Y, X) integer array
        0 background, 1..n objects.
    distance : float or str
        Pixels as number or ``"12px"``, or micrometres as ``"5um"``.
    pixel_size : (float, float) or float, optional
        Micrometres per pixel (y, x). Only distances in micrometres need it; they may differ along y and x.

    Returns
    -------
    (Y, X) array
        Of the dtype of ``labels``; each object has its label.

    Raises
    ------
    ImageError
        If labels are not 2D integers from 0.
    ConfigError
        If the distance is not positive, more than 1 024 pixels, or in micrometres without a pixel size.

    See Also
    --------
    starpoly.geometry.expand_labels : into a given foreground, along paths inside of it.
    skimage.segmentation.expand_labels : the same distances; another label where several objects are equally near.

    Examples
    --------
    >>> expand_labels(np.array([[1, 0, 0, 0, 2]]), 2)
    array([[1, 1, 1, 2, 2]])
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "bui" or (labels.dtype.kind == "i" and labels.min(initial=0) < 0):
        raise ImageError(
            f"labels: expected integers from 0 with axes YX, got {labels.dtype} of shape {labels.shape}"
            + (f" from {labels.min()}" if labels.dtype.kind == "i" and labels.size else "")
        )
    size = (float(pixel_size), float(pixel_size)) if isinstance(pixel_size, int | float) else pixel_size
    reach = Expansion.of(distance).reach(size)
    native = labels.astype(labels.dtype.newbyteorder("="), copy=False)
    out = np.empty(labels.shape, native.dtype)
    for box in cut(labels.shape, _BLOCK):
        wide = _widened(box, reach.pixels, labels.shape)
        out[box.slices] = expand_to_nearest(native[wide.slices], reach, _within(box, wide))
    return out


class ExpandedLabels:
    """The cells of a label image of nuclei, region by region; :class:`starpoly.io.writers.pyramid.RegionLabels`.

    Memory: a block and its margin.

    Parameters
    ----------
    nuclei : RegionLabels
    reach : Reach
        How far cells expand from the nuclei.
    margin : int
        Pixels around their polygons in which the nuclei may have labels, of their own expansion.
    """

    def __init__(self, nuclei: RegionLabels, reach: Reach, margin: int = 0) -> None:
        self.nuclei, self._reach, self._margin = nuclei, reach, margin
        self.shape: tuple[int, int] = nuclei.shape
        self.dtype: np.dtype[Any] = nuclei.dtype

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box, from its first."""
        out = np.empty((-(-box.shape[0] // step), -(-box.shape[1] // step)), self.dtype)
        for block in cut(box.shape, step * max(1, _BLOCK // step)):
            place = out[block.y0 // step : -(-block.y1 // step), block.x0 // step : -(-block.x1 // step)]
            inner = Box(block.y0 + box.y0, block.x0 + box.x0, block.y1 + box.y0, block.x1 + box.x0)
            wide = _widened(inner, self._reach.pixels, self.shape)
            place[...] = expand_to_nearest(self.nuclei.region(wide), self._reach, _within(inner, wide), step)
        return out

    def boxes(self, polygons: StarPolygons) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Bounding boxes of the cells of polygons, as :func:`starpoly.labels.lazy.extents` gives them."""
        low, high = extents(polygons, self.shape)
        margin = np.add(self._reach.pixels, self._margin)
        return np.maximum(low - margin, 0), np.minimum(high + margin, self.shape)


class FinalLabels:
    """Labels as 32-bit numbers, whatever their number will be; a region waits until it is certain.

    Parameters
    ----------
    labels : WholeLabels or StreamingLabels
    """

    dtype = np.dtype(np.uint32)

    def __init__(self, labels: WholeLabels | StreamingLabels) -> None:
        self._labels, self.shape = labels, labels.shape

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box, from its first."""
        return self._labels.final(box)[::step, ::step].astype(self.dtype, copy=False)


class RingLabels:
    """The cytoplasm: cells without their nuclei.

    Parameters
    ----------
    nuclei, cells : RegionLabels
        Of the same shape and dtype.
    """

    def __init__(self, nuclei: RegionLabels, cells: RegionLabels) -> None:
        self._nuclei, self._cells = nuclei, cells
        self.shape, self.dtype = cells.shape, cells.dtype

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box, from its first."""
        return np.where(self._nuclei.region(box, step) > 0, 0, self._cells.region(box, step)).astype(self.dtype)


def _widened(box: Box, margin: tuple[int, int], shape: tuple[int, int]) -> Box:
    """A box and all pixels of the image that have an influence on it."""
    return Box(box.y0 - margin[0], box.x0 - margin[1], box.y1 + margin[0], box.x1 + margin[1]).clip(shape)


def _within(box: Box, wide: Box) -> Box:
    """A box in pixels of one around it."""
    return Box(box.y0 - wide.y0, box.x0 - wide.x0, box.y1 - wide.y0, box.x1 - wide.x0)

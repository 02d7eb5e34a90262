"""A region of an image, given by a mask of any size stretched over the image."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..io.readers.images import open_source
from ..tiling import Box, cut_along

_AT_ONCE = 1 << 22
"""Pixels of a mask read at once."""


class RegionMask:
    """The region of an image to analyse, given by a mask stretched over the image.

    Parameters
    ----------
    mask : (h, w) bool array
        True where to analyse.
    shape : (int, int)
        Height and width of the image in pixels.
    over : (float, float, float, float), optional
        Extent of the mask: ``y0, x0, y1, x1`` in pixels of the image, with the image corner at 0. Nothing outside the
        mask is analysed. Default: the whole image.
    """

    def __init__(
        self, mask: NDArray[np.bool_], shape: tuple[int, int], over: tuple[float, float, float, float] | None = None
    ) -> None:
        self.mask = np.asarray(mask, bool)
        self.shape = (int(shape[0]), int(shape[1]))
        self.over = (0.0, 0.0, float(shape[0]), float(shape[1])) if over is None else over
        if self.mask.ndim != 2 or 0 in self.mask.shape or min(self.shape) < 1:
            raise ImageError(
                f"mask: expected pixels (Y, X) over a positive area, got {self.mask.shape} over {self.shape}"
            )

    def overlaps(self, box: Box) -> bool:
        """Whether any True pixel of the mask overlaps a box of the image."""
        inside = box.clip(self.shape)
        rows = self._extent(inside.y0, inside.y1, 0)
        columns = self._extent(inside.x0, inside.x1, 1)
        return bool(self.mask[rows, columns].any())

    def contains(self, points: NDArray) -> NDArray[np.bool_]:
        """Which points lie on a True pixel of the mask.

        Parameters
        ----------
        points : (n, 2) array
            ``(y, x)`` in pixels of the image, pixel centres at integers.

        Returns
        -------
        (n,) bool
        """
        points = np.asarray(points, np.float64)
        edge = points + 0.5
        inside = ((edge >= 0) & (edge < self.shape)).all(axis=1)
        found = np.zeros(len(points), bool)
        rows, columns = (np.floor(self._on_mask(edge[inside, axis], axis)).astype(np.int64) for axis in (0, 1))
        on_mask = (rows >= 0) & (rows < self.mask.shape[0]) & (columns >= 0) & (columns < self.mask.shape[1])
        found[np.flatnonzero(inside)[on_mask]] = self.mask[rows[on_mask], columns[on_mask]]
        return found

    def resized(self, shape: tuple[int, int]) -> RegionMask:
        """The same mask over the rescaled image."""
        y, x = (new / old for new, old in zip(shape, self.shape, strict=True))
        y0, x0, y1, x1 = self.over
        return RegionMask(self.mask, shape, (y0 * y, x0 * x, y1 * y, x1 * x))

    def within(self, box: Box) -> RegionMask:
        """The mask of a box of the image, in pixels of that box."""
        y0, x0, y1, x1 = self.over
        return RegionMask(self.mask, box.shape, (y0 - box.y0, x0 - box.x0, y1 - box.y0, x1 - box.x0))

    @property
    def fraction(self) -> float:
        """Share of the image that is analysed, from 0 to 1."""
        weights = []
        for axis, (length, n) in enumerate(zip(self.shape, self.mask.shape, strict=True)):
            low, high = self.over[axis], self.over[axis + 2]
            borders = np.clip(low + (high - low) * np.arange(n + 1) / n, 0, length)
            weights.append(np.diff(borders) / length)
        return float(sum(weight * weights[1][row].sum() for weight, row in zip(weights[0], self.mask, strict=True)))

    def fingerprint(self) -> str:
        """Hash of the mask and its extent, for the journal."""
        digest = hashlib.blake2b(repr((self.mask.shape, self.shape, self.over)).encode(), digest_size=16)
        for row in self.mask:
            digest.update(np.packbits(row).tobytes())
        return digest.hexdigest()

    def _on_mask(self, edge: Any, axis: int) -> Any:
        """Convert an image coordinate to mask pixels, both from the corner."""
        low, high = self.over[axis], self.over[axis + 2]
        return (edge - low) * self.mask.shape[axis] / (high - low)

    def _extent(self, start: int, stop: int, axis: int) -> slice:
        """The mask pixels that overlap the image from ``start`` to ``stop``."""
        first, last = math.floor(self._on_mask(start, axis)), math.ceil(self._on_mask(stop, axis))
        return slice(max(first, 0), max(last, 0)) if stop > start else slice(0, 0)


def read_mask(image: Any, shape: tuple[int, int]) -> RegionMask:
    """Read a mask: an image of any size, nonzero where to analyse.

    Parameters
    ----------
    image : path or array-like
        Any input of :func:`starpoly.io.open_source`. A pixel counts if any channel is nonzero.
    shape : (int, int)
        Height and width of the image or level under the mask.

    Raises
    ------
    ImageError
        If it cannot be read, is zero everywhere, or differs from the image's aspect ratio by more than rounding.
    """
    with open_source(image) as source:
        (height, width), (y, x) = source.shape[:2], shape
        # tolerance: rounding moves a side of the mask by less than a pixel
        if abs(height * x - width * y) >= x + y:
            raise ImageError(
                f"{source.name}: expected a mask with the sides of the image, {y} x {x} pixels, in proportion, "
                f"got {height} x {width}; make it of the whole image"
            )
        mask = np.empty((height, width), bool)
        for box in cut_along((height, width), source.block, _AT_ONCE):
            mask[box.slices] = (source[box.slices] != 0).any(axis=2)
    if not mask.any():
        raise ImageError(f"{source.name}: expected a mask that is not zero where to look, got zeros only")
    return RegionMask(mask, shape)

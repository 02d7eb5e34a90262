"""Masks that follow the network's foreground beyond the polygons, for objects that are no stars.

The foreground of an image is kept as bits, filled in tile by tile, while polygons are found. What is drawn of the polygons then spreads
over it (:mod:`starpoly.geometry.label_expansion`), region by region: a region with a margin as wide as labels may spread comes out as
that part of the whole image does, so masks depend on the tiles no more than polygons do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..geometry.label_expansion import spread_labels
from ..tiling import Box

#: labels spread no further, in pixels: each region is drawn with a margin as wide
LARGEST_SPREAD = 1024


class ForegroundMask:
    """The foreground of an image: one bit for each pixel, of the size at which the image is looked at.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image as it is, in pixels.
    spread : int
        How far labels spread, in pixels of the image as it is.

    Raises
    ------
    ConfigError
        If ``spread`` is not positive, or too large.
    """

    def __init__(self, shape: tuple[int, int], spread: int) -> None:
        if not 1 <= spread <= LARGEST_SPREAD:
            raise ConfigError(f"spread: expected 1 to {LARGEST_SPREAD} pixels, got {spread}")
        self.shape, self.spread = shape, spread
        self.begin(shape)

    def begin(self, shape: tuple[int, int]) -> None:
        """Forget all, for an image that is looked at at this height and width."""
        self._looked_at = shape
        self._bits = np.zeros((shape[0], -(-shape[1] // 8)), np.uint8)

    def put(self, box: Box, foreground: NDArray[np.bool_]) -> None:
        """Fill in a part of the image as it is looked at."""
        columns = slice(box.x0 // 8, -(-box.x1 // 8))
        bytes_there = self._bits[box.y0 : box.y1, columns]
        bits = np.unpackbits(bytes_there, axis=1)
        bits[:, box.x0 - 8 * columns.start : box.x1 - 8 * columns.start] = foreground
        bytes_there[...] = np.packbits(bits, axis=1)

    def region(self, box: Box) -> NDArray[np.bool_]:
        """Whether pixels of a box, in the image as it is, lie in the foreground; the nearest one where it was rescaled."""
        rows, columns = (
            np.arange(start, stop)
            if whole == looked_at
            else np.minimum(((np.arange(start, stop) + 0.5) * looked_at / whole).astype(np.intp), looked_at - 1)
            for start, stop, whole, looked_at in zip(
                (box.y0, box.x0), (box.y1, box.x1), self.shape, self._looked_at, strict=True
            )
        )
        if not (len(rows) and len(columns)):
            return np.zeros(box.shape, np.bool_)
        first, last = columns[0] // 8, columns[-1] // 8 + 1
        bits = np.unpackbits(self._bits[rows, first:last], axis=1)
        return bits[:, columns - 8 * first].astype(np.bool_)

    def _around(self, box: Box) -> Box:
        """A box with the surroundings that have an influence on it."""
        return Box(box.y0 - self.spread, box.x0 - self.spread, box.y1 + self.spread, box.x1 + self.spread).clip(
            self.shape
        )

    def spread_over(self, labels: NDArray) -> NDArray[np.int32]:
        """What the labels (Y, X) of the whole image become."""
        return spread_labels(labels, self.region(Box(0, 0, *self.shape)), self.spread)

    def spread_in(self, box: Box, draw: Callable[[Box], NDArray]) -> NDArray:
        """What labels become in a box; ``draw`` draws any box as the polygons tell it."""
        wide = self._around(box)
        labels = draw(wide)
        spread = spread_labels(labels, self.region(wide), self.spread).astype(labels.dtype, copy=False)
        return spread[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0]


def drawn(foreground: ForegroundMask | None, draw: Callable[[Box], NDArray], box: Box) -> NDArray:
    """Labels in a box: as polygons tell them or, where there is a foreground to spread over, as that does."""
    return draw(box) if foreground is None else foreground.spread_in(box, draw)

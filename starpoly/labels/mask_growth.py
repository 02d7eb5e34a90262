"""Labels that expand into the network's foreground, for objects that are not star-convex.

Which foreground counts and how far labels follow it is tuned per model (:class:`starpoly.config.MaskGrowth`), or asked for.

The foreground of an image is kept as bits and filled in tile by tile during detection. Labels drawn from polygons then expand
into it (:mod:`starpoly.geometry.label_expansion`), region by region. Each region is drawn with a margin as wide as labels may
expand, so it equals that part of the whole image: labels do not depend on tiling.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..config import LARGEST_GROWTH
from ..errors import ConfigError
from ..geometry.label_expansion import expand_labels
from ..parallel import in_parts, n_threads
from ..tiling import Box

_WORTH_THREADS = 1 << 20
"""Pixels of an image from which on several threads are faster."""


class ForegroundMask:
    """The foreground of an image, one bit per pixel of the rescaled image.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image in pixels.
    distance : int
        How far labels expand, in pixels.
    level : float
        Foreground probability above which a pixel counts.
    rescaled : bool
        Whether ``distance`` is in pixels of the rescaled image, else of the image.

    Attributes
    ----------
    distance : int
        In pixels of the image, at least 1; known once :meth:`begin` was called.

    Raises
    ------
    ConfigError
        If ``distance`` is not from 1 to 1024.
    """

    def __init__(self, shape: tuple[int, int], distance: int, level: float = 0.5, *, rescaled: bool = False) -> None:
        if not 1 <= distance <= LARGEST_GROWTH:
            raise ConfigError(f"expand_into_foreground: expected 1 to {LARGEST_GROWTH} pixels, got {distance}")
        self.shape, self.level, self._given = shape, level, (distance, rescaled)
        self.begin(shape)

    def begin(self, shape: tuple[int, int]) -> None:
        """Forget all; the rescaled image has this height and width."""
        self._rescaled = shape
        distance, rescaled = self._given
        factor = max(self.shape) / max(shape) if rescaled else 1
        self.distance = min(max(1, round(distance * factor)), LARGEST_GROWTH)
        self._bits = np.zeros((shape[0], -(-shape[1] // 8)), np.uint8)

    def put(self, box: Box, foreground: NDArray[np.bool_]) -> None:
        """Fill in a box of the rescaled image."""
        columns = slice(box.x0 // 8, -(-box.x1 // 8))
        bytes_there = self._bits[box.y0 : box.y1, columns]
        bits = np.unpackbits(bytes_there, axis=1)
        bits[:, box.x0 - 8 * columns.start : box.x1 - 8 * columns.start] = foreground
        bytes_there[...] = np.packbits(bits, axis=1)

    def take(self, other: ForegroundMask) -> None:
        """Take over what another mask of the same image and settings was filled with."""
        self._rescaled, self.distance, self._bits = other._rescaled, other.distance, other._bits

    def region(self, box: Box) -> NDArray[np.bool_]:
        """Whether the pixels of a box of the image lie in the foreground; where it was rescaled, the nearest pixel decides."""
        rows, columns = (
            np.arange(start, stop)
            if whole == rescaled
            else np.minimum(((np.arange(start, stop) + 0.5) * rescaled / whole).astype(np.intp), rescaled - 1)
            for start, stop, whole, rescaled in zip(
                (box.y0, box.x0), (box.y1, box.x1), self.shape, self._rescaled, strict=True
            )
        )
        if not (len(rows) and len(columns)):
            return np.zeros(box.shape, np.bool_)
        first, last = columns[0] // 8, columns[-1] // 8 + 1
        bits = np.unpackbits(self._bits[rows, first:last], axis=1)
        return bits[:, columns - 8 * first].astype(np.bool_)

    def expand(self, labels: NDArray) -> NDArray[np.int32]:
        """Expand labels (Y, X) of the whole image, bands of it in several threads."""
        out = np.empty(self.shape, np.int32)

        def expand_rows(first: int, end: int) -> None:
            out[first:end] = self.expand_in(Box(first, 0, end, self.shape[1]), lambda box: labels[box.slices])

        threads = n_threads() if out.size >= _WORTH_THREADS else 1
        in_parts(expand_rows, self.shape[0], threads, parts=threads)  # each repeats what lies within the distance
        return out

    def expand_in(self, box: Box, draw: Callable[[Box], NDArray]) -> NDArray:
        """Expanded labels in a box; ``draw`` draws the labels of the polygons in any box."""
        wide = self._with_margin(box)
        labels = draw(wide)
        expanded = expand_labels(labels, self.region(wide), self.distance).astype(labels.dtype, copy=False)
        return expanded[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0]

    def _with_margin(self, box: Box) -> Box:
        """A box and all pixels of the image that have an influence on it."""
        margin = self.distance
        return Box(box.y0 - margin, box.x0 - margin, box.y1 + margin, box.x1 + margin).clip(self.shape)


def drawn(foreground: ForegroundMask | None, draw: Callable[[Box], NDArray], box: Box) -> NDArray:
    """Labels in a box: of the polygons or, if there is a foreground, expanded into it."""
    return draw(box) if foreground is None else foreground.expand_in(box, draw)

"""The symmetries of the square, applied to windows and taken back from a network's answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Symmetry:
    """A symmetry of the square: rows and columns exchanged, or not; then mirrored along y, x, or not."""

    transposed: bool = False
    flipped_y: bool = False
    flipped_x: bool = False

    def of_image(self, batch: NDArray, grid: tuple[int, int]) -> NDArray:
        """Windows (batch, y, x, C) as they look so; mirrored ones with their grid where it was."""
        if self.transposed:
            batch = batch.swapaxes(1, 2)
        for axis in self._flipped_axes():
            batch = np.take(batch, _mirrored(batch.shape[axis], grid[axis - 1]), axis=axis)
        return np.ascontiguousarray(batch)

    def of_answer(self, values: NDArray) -> NDArray:
        """An answer (batch, h, w, ...) for windows that look so, where it belongs in the windows as they are."""
        for axis in self._flipped_axes():
            values = np.flip(values, axis)
        return values.swapaxes(1, 2) if self.transposed else values

    def rays(self, n_rays: int) -> NDArray[np.intp]:
        """Which ray of the answer is each ray of the windows as they are."""
        k = np.arange(n_rays)
        if self.transposed:  # phi becomes pi / 2 - phi
            k = n_rays // 4 - k
        if self.flipped_x:  # ... pi - phi
            k = n_rays // 2 - k
        if self.flipped_y:  # ... -phi
            k = -k
        return k % n_rays

    def _flipped_axes(self) -> list[int]:
        return [axis for axis, flipped in ((1, self.flipped_y), (2, self.flipped_x)) if flipped]


def _mirrored(length: int, step: int) -> NDArray[np.intp]:
    """Where each pixel of a mirrored axis comes from, if grid points (multiples of ``step``) are to fall on grid points.

    The last pixels of the axis are not seen, and as many reflected ones take their place at the other end.
    """
    return np.abs(length - step - np.arange(length))

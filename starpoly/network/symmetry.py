"""Symmetries of the square: applied to windows, undone on network outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Symmetry:
    """A symmetry of the square: optional transposition, then optional flips along y and x."""

    transposed: bool = False
    flipped_y: bool = False
    flipped_x: bool = False

    def of_image(self, batch: NDArray, grid: tuple[int, int]) -> NDArray:
        """Apply the symmetry to windows (batch, y, x, C). Flips keep the grid on the same pixels."""
        if self.transposed:
            batch = batch.swapaxes(1, 2)
        for axis in self._flipped_axes():
            batch = np.take(batch, _mirrored(batch.shape[axis], grid[axis - 1]), axis=axis)
        return np.ascontiguousarray(batch)

    def of_answer(self, values: NDArray) -> NDArray:
        """Undo the symmetry on an output (batch, h, w, ...)."""
        for axis in self._flipped_axes():
            values = np.flip(values, axis)
        return values.swapaxes(1, 2) if self.transposed else values

    def rays(self, n_rays: int) -> NDArray[np.intp]:
        """For each ray of the original windows, its index in the transformed output."""
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
    """Source index of each pixel of a flipped axis that maps grid points (multiples of ``step``) to grid points.

    The last pixels of the axis drop out; as many reflected pixels fill the other end.
    """
    return np.abs(length - step - np.arange(length))

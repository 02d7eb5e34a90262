"""An image at another size, computed region by region."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .exact_floats import exact_float


def rescaled_shape(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    """Height and width in pixels of an image at ``factor`` times its size."""
    return max(1, round(factor * shape[0])), max(1, round(factor * shape[1]))


class Rescaled:
    """An image at another size; only the regions asked for are computed.

    Enlarging interpolates linearly. Reducing averages with a triangle filter as wide as one reduced pixel on either side, so no
    pixel is skipped. Every region equals that crop of the whole rescaled image, bit for bit.

    Parameters
    ----------
    image : array-like (Y, X, C)
        Anything with ``shape``, ``dtype`` and slicing. The rescaled one is float32, or float64 for wide numbers.
    factor : float
        Size of the rescaled image, as a part of the image's. Corners lie on corners.
    """

    ndim = 3

    def __init__(self, image: Any, factor: float) -> None:
        self._image, self._factor = image, float(factor)
        self.dtype = exact_float(image.dtype)
        self.shape = (*rescaled_shape(image.shape[:2], factor), int(image.shape[2]))

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[np.floating]:
        """``rescaled[y0:y1, x0:x1]``, shape (y1 - y0, x1 - x0, C)."""
        (y0, y1, _), (x0, x1, _) = (part.indices(length) for part, length in zip(key, self.shape[:2], strict=True))
        rows, weights_y = _taps(y0, y1, self._image.shape[0], self._factor)
        columns, weights_x = _taps(x0, x1, self._image.shape[1], self._factor)
        if not rows.size or not columns.size:
            return np.zeros((max(0, y1 - y0), max(0, x1 - x0), self.shape[2]), self.dtype)
        top, left = int(rows.min()), int(columns.min())
        crop = np.asarray(self._image[top : int(rows.max()) + 1, left : int(columns.max()) + 1]).astype(self.dtype)
        return _mixed(_mixed(crop, rows - top, weights_y, 0), columns - left, weights_x, 1)


def at_scale(image: Any, scale: float) -> Any:
    """An image (Y, X, C) at another size, computed region by region; the image itself at scale 1."""
    return image if scale == 1 else Rescaled(image, scale)


def _taps(start: int, stop: int, length: int, factor: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Original pixels that each pixel from ``start`` to ``stop`` is made of, and their weights; (n, taps)."""
    reach = max(1.0, 1 / factor)
    centres = (np.arange(start, max(stop, start)) + 0.5) / factor - 0.5
    first = np.floor(centres - reach).astype(np.intp) + 1
    taps = first[:, None] + np.arange(math.ceil(2 * reach))
    weights = np.maximum(0, 1 - np.abs(taps - centres[:, None]) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(taps, 0, length - 1), weights


def _mixed(
    crop: NDArray[np.floating], taps: NDArray[np.intp], weights: NDArray[np.float64], axis: int
) -> NDArray[np.floating]:
    """Sums along an axis, tap by tap, so that the bits do not depend on the crop."""
    weights = weights.astype(crop.dtype)
    along = (-1, 1, 1) if axis == 0 else (1, -1, 1)
    with np.errstate(invalid="ignore"):  # infinity becomes NaN
        total = np.take(crop, taps[:, 0], axis=axis) * weights[:, 0].reshape(along)
        for tap, weight in zip(taps.T[1:], weights.T[1:], strict=True):
            total += np.take(crop, tap, axis=axis) * weight.reshape(along)
    return total

"""Pieces of images: cut, turned, scaled, blurred and changed in brightness."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtri

_BLUR_REACH = 3
"""Radius of a Gaussian, in standard deviations; less than 0.3 % of its weight lies beyond."""


def mirrored(index: NDArray[np.integer], length: int) -> NDArray[np.int64]:
    """Indices folded into [0, length) by reflection about the border pixels, as often as needed."""
    if length == 1:
        return np.zeros(len(index), np.int64)
    folded = np.abs(index) % (2 * length - 2)
    return np.where(folded < length, folded, 2 * length - 2 - folded).astype(np.int64)


def copy(
    image: NDArray[np.float32],
    labels: NDArray[np.int32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    transposed: bool,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Some rows and columns of an image (Y, X, C) and its labels (Y, X), or the transpose of that."""
    from . import _kernels_patch as kernels

    out, out_labels = _empty(image, (len(columns), len(rows)) if transposed else (len(rows), len(columns)))
    kernels.copy(image, labels, np.ascontiguousarray(rows), np.ascontiguousarray(columns), transposed, out, out_labels)
    return out, out_labels


def warp(
    image: NDArray[np.float32],
    labels: NDArray[np.int32],
    first: NDArray[np.float64],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A patch whose pixel (i, j) lies at ``first + matrix @ (i, j)`` of an image, mirrored beyond its border.

    Parameters
    ----------
    image : (Y, X, C) float32
        Interpolated linearly.
    labels : (Y, X) int32
        The nearest pixel is taken.
    first : (2,) float
        ``(y, x)``.
    matrix : (2, 2) float
        Linear map from patch to image.
    size : (int, int)
        Height and width of the patch.

    Returns
    -------
    (h, w, C) float32, (h, w) int32
    """
    from . import _kernels_patch as kernels

    # the corners of the patch in the image, and the frame around them and their neighbours
    corners = first + np.array([(0, 0), (size[0] - 1, 0), (0, size[1] - 1), (size[0] - 1, size[1] - 1)]) @ matrix.T
    low, high = np.floor(corners.min(axis=0)).astype(int) - 1, np.ceil(corners.max(axis=0)).astype(int) + 3
    frame = [mirrored(np.arange(a, b), n).astype(np.uint64) for a, b, n in zip(low, high, labels.shape, strict=True)]
    (y0, y1), (x0, x1) = ((int(pixels.min()), int(pixels.max()) + 1) for pixels in frame)
    kernels.prefetch(image, labels, y0, y1, x0, x1)
    out, out_labels = _empty(image, size)
    kernels.warp(image, labels, *frame, *(first - low), np.ascontiguousarray(matrix, np.float64), out, out_labels)
    return out, out_labels


def _empty(image: NDArray, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    return np.empty((*size, image.shape[2]), np.float32), np.empty(size, np.int32)


def blur(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """An image (Y, X, C) smoothed by a Gaussian of standard deviation ``sigma`` in y and x, mirrored at its ends."""
    from . import _kernels_patch as kernels

    reach = max(1, int(np.ceil(_BLUR_REACH * sigma)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    down, out = np.empty_like(image), np.empty_like(image)
    kernels.blur_down(image.reshape(len(image), -1), weights, down.reshape(len(image), -1))
    kernels.blur_across(down, weights, out)
    return out


def change_brightness(
    rng: Generator, image: NDArray[np.float32], exponent: float, gains: NDArray[np.floating], shift: float, noise: float
) -> NDArray[np.float32]:
    """Raise an image (Y, X, C) to a power, keeping signs, multiply each channel, shift all, and add normal noise.

    The noise takes 4096 values: quantiles of the normal distribution, chosen at random.
    """
    from . import _kernels_patch as kernels

    magnitude = np.abs(image)
    if exponent != 1:
        magnitude **= np.float32(exponent)
    flat = (-1, image.shape[2])
    bits = rng.bit_generator.random_raw(-(-image.size // 4))
    kernels.change_pixels(
        image.reshape(flat), magnitude.reshape(flat), np.asarray(gains, np.float32), np.float32(shift), np.float32(noise),
        normal_quantiles(), bits,
    )  # fmt: skip
    return magnitude


@cache
def normal_quantiles() -> NDArray[np.float32]:
    """4096 quantiles of the normal distribution, ascending."""
    n = 1 << 12
    return ndtri((np.arange(n) + 0.5) / n).astype(np.float32)

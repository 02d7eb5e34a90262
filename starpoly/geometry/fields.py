"""Smooth random fields and wide blurs, cheaply by way of coarse grids."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .patch import blur

#: Standard deviation of a B-spline of normal numbers, averaged over the places: 151 / 315 in each direction.
_SPLINE_SPREAD = 151 / 315
#: pixels; a Gaussian up to this wide is applied at full resolution
_WIDE = 4.0


def smooth_noise(rng: Generator, shape: tuple[int, int], scale: float | tuple[float, float]) -> NDArray[np.float32]:
    """A smooth random field of mean 0 and standard deviation 1, on average.

    Parameters
    ----------
    rng : Generator
    shape : (int, int)
    scale : float or (float, float)
        Distance in pixels, along y and x, over which values are alike; at least 1.
    """
    scales = scale if isinstance(scale, tuple) else (scale, scale)
    steps = [max(1.0, float(s)) for s in scales]
    grid = rng.standard_normal([int(n / step) + 5 for n, step in zip(shape, steps, strict=True)], np.float32)
    return spline(grid / np.float32(_SPLINE_SPREAD), shape, steps, rng.random(2))


def spline(
    grid: NDArray[np.float32], shape: tuple[int, int], steps: list[float], offset: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Cubic B-spline of a grid: pixel ``p`` lies at ``p / step + offset + 1`` of it, along each axis."""
    from . import _kernels_fields as kernels

    (rows, row_weights), (columns, column_weights) = (
        _weights(n, step, at) for n, step, at in zip(shape, steps, offset, strict=True)
    )
    out = np.empty(shape, np.float32)
    between = np.empty((grid.shape[0], shape[1]), np.float32)
    kernels.spline(grid, rows, row_weights, columns, column_weights, between, out)
    return out


def _weights(n: int, step: float, offset: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """First of the four coefficients of each pixel, and their weights."""
    at = np.arange(n) / step + offset
    first = at.astype(np.int64)
    t = at - first
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    return first, weights.astype(np.float32)


def blurred(field: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A field (Y, X) under a Gaussian of any width; a wide one by way of means of blocks, which is nearly the same."""
    if sigma < 0.2:
        return field
    if sigma <= _WIDE:
        return blur(field[..., None], sigma)[..., 0]
    from . import _kernels_fields as kernels

    side = min(int(sigma / 2), max(1, min(field.shape) // 4))
    if side < 2:
        return blur(field[..., None], sigma)[..., 0]
    coarse = np.empty([-(-n // side) for n in field.shape], np.float32)
    kernels.block_means(field, side, coarse)
    # the spline adds a third of a squared step, a block's mean a twelfth
    rest = np.sqrt(max(0.04, (sigma / side) ** 2 - 5 / 12))
    coarse = np.pad(blur(coarse[..., None], rest)[..., 0], 2, mode="edge")
    # the middle of block 0 lies half a block, less half a pixel, from pixel 0
    offset = np.full(2, 1 - (side - 1) / 2 / side)
    return spline(coarse, field.shape, [float(side)] * 2, offset)  # type: ignore[arg-type]


def look_up(field: NDArray[np.float32], y: NDArray, x: NDArray) -> NDArray[np.float32]:
    """A field at the places ``y, x``, of equal shape, linearly between pixels; beyond its borders it repeats."""
    from . import _kernels_fields as kernels

    out = np.empty(y.shape, np.float32)
    kernels.look_up(
        field, np.ascontiguousarray(y, np.float32).reshape(-1), np.ascontiguousarray(x, np.float32).reshape(-1),
        out.reshape(-1),
    )  # fmt: skip
    return out

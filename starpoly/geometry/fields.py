"""Smooth random fields and wide blurs, cheaply by way of coarse grids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .patch import blur, normal_quantiles

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
    return spline(grid / np.float32(_SPLINE_SPREAD), shape, steps, (rng.random(), rng.random()))


def spline(
    grid: NDArray[np.float32], shape: tuple[int, int], steps: Sequence[float], offset: Sequence[float]
) -> NDArray[np.float32]:
    """Cubic B-spline of a grid: pixel ``p`` lies at ``p / step + offset + 1`` of it, along each axis."""
    from . import _kernels_fields as kernels

    out, between = np.empty(shape, np.float32), np.empty((grid.shape[0], shape[1]), np.float32)
    (step_y, step_x), (first_y, first_x) = map(float, steps), map(float, offset)
    kernels.spline(grid, step_y, step_x, first_y, first_x, between, out)
    return out


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
    first = 1 - (side - 1) / 2 / side
    return spline(coarse, field.shape, (side, side), (first, first))  # type: ignore[arg-type]


def look_up(field: NDArray[np.float32], y: NDArray, x: NDArray) -> NDArray[np.float32]:
    """A field at the places ``y, x``, of equal shape, linearly between pixels; beyond its borders it repeats."""
    from . import _kernels_fields as kernels

    out = np.empty(y.shape, np.float32)
    kernels.look_up(
        field, np.ascontiguousarray(y, np.float32).reshape(-1), np.ascontiguousarray(x, np.float32).reshape(-1),
        out.reshape(-1),
    )  # fmt: skip
    return out


def quick_normal(rng: Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Normal numbers that take 4096 values, quantiles of the distribution; faster than exact ones."""
    n = int(np.prod(shape))
    bits = rng.bit_generator.random_raw(-(-n // 4)).view(np.uint16)[:n]
    return normal_quantiles()[bits & np.uint16(len(normal_quantiles()) - 1)].reshape(shape)

"""Smooth fields: splines through coarse grids, means of blocks, values between pixels."""

from __future__ import annotations

import math

import numpy as np

from ._kernels import bilinear, kernel


@kernel
def _weights(at):
    """Weights of the four coefficients of a cubic B-spline at a fraction of a step."""
    back = np.float32(1) - at
    return (
        back * back * back / np.float32(6),
        (np.float32(4) + at * at * (np.float32(3) * at - np.float32(6))) / np.float32(6),
        (np.float32(4) + back * back * (np.float32(3) * back - np.float32(6))) / np.float32(6),
        at * at * at / np.float32(6),
    )


@kernel
def spline(grid, step_y, step_x, first_y, first_x, between, out):
    """Fill ``out`` (Y, X) with a cubic B-spline of ``grid`` (h, w), whose knots are a step apart.

    Pixel 0 lies at ``first`` between the coefficients 1 and 2; ``between`` (h, X) holds the rows of the grid at full width.
    """
    for x in range(out.shape[1]):
        at = x / step_x + first_x
        k = int(at)
        a, b, c, d = _weights(np.float32(at - k))
        for i in range(grid.shape[0]):
            between[i, x] = a * grid[i, k] + b * grid[i, k + 1] + c * grid[i, k + 2] + d * grid[i, k + 3]
    for y in range(out.shape[0]):
        at = y / step_y + first_y
        k = int(at)
        a, b, c, d = _weights(np.float32(at - k))
        line, p, q, r, s = out[y], between[k], between[k + 1], between[k + 2], between[k + 3]
        for x in range(out.shape[1]):
            line[x] = a * p[x] + b * q[x] + c * r[x] + d * s[x]


@kernel
def block_means(image, side, out):
    """Fill ``out`` with the means of blocks of ``side`` pixels a side; those at the end are smaller."""
    height, width = image.shape
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            y1, x1 = min(height, (i + 1) * side), min(width, (j + 1) * side)
            total = np.float32(0)
            for y in range(i * side, y1):
                for x in range(j * side, x1):
                    total += image[y, x]
            out[i, j] = total / np.float32((y1 - i * side) * (x1 - j * side))


@kernel
def look_up(image, y, x, out):
    """Fill ``out`` with the image (h, w) at the places ``y, x`` (any shape, flat), linearly; it repeats beyond its borders."""
    height, width = image.shape
    for p in range(out.shape[0]):
        fy, fx = math.floor(y[p]), math.floor(x[p])
        i, j = int(fy) % height, int(fx) % width
        k, m = (i + 1) % height, (j + 1) % width
        out[p] = bilinear(image[i, j], image[i, m], image[k, j], image[k, m], y[p] - fy, x[p] - fx)

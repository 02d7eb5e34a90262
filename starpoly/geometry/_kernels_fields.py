"""Smooth fields: splines through coarse grids, means of blocks, values between pixels."""

from __future__ import annotations

import math

import numpy as np

from ._kernels import bilinear, kernel


@kernel
def spline(grid, rows, row_weights, columns, column_weights, between, out):
    """Fill ``out`` (Y, X) with a cubic B-spline of ``grid`` (h, w); row ``y`` mixes four rows of it, from ``rows[y]`` on.

    ``between`` (h, X) holds the rows of the grid at full width.
    """
    for i in range(grid.shape[0]):
        line, coarse = between[i], grid[i]
        for x in range(out.shape[1]):
            at, w = columns[x], column_weights[x]
            line[x] = w[0] * coarse[at] + w[1] * coarse[at + 1] + w[2] * coarse[at + 2] + w[3] * coarse[at + 3]
    for y in range(out.shape[0]):
        at, w, line = rows[y], row_weights[y], out[y]
        a, b, c, d = between[at], between[at + 1], between[at + 2], between[at + 3]
        for x in range(out.shape[1]):
            line[x] = w[0] * a[x] + w[1] * b[x] + w[2] * c[x] + w[3] * d[x]


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

"""Re-estimating ray distances from the field of distances along each ray."""

from __future__ import annotations

import math

import numpy as np

from ._kernels import kernel


@kernel
def _clip(index, stop):
    return min(max(index, 0), stop - 1)


@kernel
def _interpolate(field, row, column, offset_y, offset_x, ray, n_rows, n_columns):
    """The field of one ray, bilinear, at an offset (grid units) from a grid point; continued at the image's ends.

    The offset is split before it is added to the grid point, so that the bits do not depend on where that lies.
    """
    down, right = math.floor(offset_y), math.floor(offset_x)
    part_y, part_x = offset_y - down, offset_x - right
    r0, r1 = _clip(row + int(down), n_rows), _clip(row + int(down) + 1, n_rows)
    c0, c1 = _clip(column + int(right), n_columns), _clip(column + int(right) + 1, n_columns)
    upper = (1 - part_x) * field[r0, c0, ray] + part_x * field[r0, c1, ray]
    lower = (1 - part_x) * field[r1, c0, ray] + part_x * field[r1, c1, ray]
    return (1 - part_y) * upper + part_y * lower


@kernel
def average_along_rays(field, rows, columns, n_rows, n_columns, grid_y, grid_x, fractions, reach, sin, cos, out):
    """Fill ``out`` (n, n_rays); ``field`` (h, w, n_rays) holds at least ``n_rows`` x ``n_columns`` of the image."""
    for i in range(rows.shape[0]):
        row, column = rows[i], columns[i]
        for k in range(sin.shape[0]):
            own = np.float64(field[row, column, k])
            total = own
            for f in range(fractions.shape[0]):
                step = min(fractions[f] * own, reach)
                offset_y, offset_x = step * sin[k] / grid_y, step * cos[k] / grid_x
                total += step + _interpolate(field, row, column, offset_y, offset_x, k, n_rows, n_columns)
            out[i, k] = total / (1 + fractions.shape[0])

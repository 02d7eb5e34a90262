"""Re-estimating ray distances from the field of distances along each ray."""

from __future__ import annotations

import numpy as np

from ._kernels import between, bilinear, kernel


@kernel
def _interpolate(field, row, column, offset_y, offset_x, ray, n_rows, n_columns):
    """The field of one ray, bilinear, at an offset (grid units) from a grid point; continued at the image's ends."""
    r0, r1, down = between(row, offset_y, n_rows)
    c0, c1, right = between(column, offset_x, n_columns)
    return bilinear(field[r0, c0, ray], field[r0, c1, ray], field[r1, c0, ray], field[r1, c1, ray], down, right)


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

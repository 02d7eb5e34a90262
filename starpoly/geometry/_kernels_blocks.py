"""The candidates of an image that each of its blocks must see."""

from __future__ import annotations

import math

import numpy as np

from ._kernels import kernel


@kernel
def outer_radii(distances, out):
    """Fill ``out`` (n,) with the largest distance of each polygon; NaN if one of its distances is."""
    for i in range(distances.shape[0]):
        largest = np.float32(0)
        for k in range(distances.shape[1]):
            length = distances[i, k]
            largest = length if length > largest or length != length else largest
        out[i] = largest


@kernel
def _first_and_last(place, reach, side, n):
    """First and last block, of ``n`` of length ``side`` along an axis, that ``reach`` around a place meets."""
    first, last = math.floor((place - reach) / side), math.floor((place + reach) / side)
    return int(min(max(first, 0.0), n - 1.0)), int(min(max(last, 0.0), n - 1.0))


@kernel
def count_by_block(points, radii, low, side_y, side_x, n_y, n_x, margin, own, near, most):
    """Count the polygons whose centres lie in each block and those that may reach into it or the margin around it.

    ``own`` and ``near`` (n_y * n_x,) are zeros. Returns False, unfinished, if the latter are more than ``most`` in all.
    """
    total = 0
    for i in range(points.shape[0]):
        y, x = points[i, 0] - low[0], points[i, 1] - low[1]
        row, _ = _first_and_last(y, 0.0, side_y, n_y)
        column, _ = _first_and_last(x, 0.0, side_x, n_x)
        own[row * n_x + column] += 1
        # a pixel more, for rounding
        reach = np.float64(radii[i]) + margin + 1
        row0, row1 = _first_and_last(y, reach, side_y, n_y)
        column0, column1 = _first_and_last(x, reach, side_x, n_x)
        for row in range(row0, row1 + 1):
            for column in range(column0, column1 + 1):
                near[row * n_x + column] += 1
        total += (row1 - row0 + 1) * (column1 - column0 + 1)
        if total > most:
            return False
    return True


@kernel
def fill_by_block(points, radii, rows, low, side_y, side_x, n_y, n_x, margin, places, out):
    """Write ``rows``, in their order, to the lists of the blocks that they may reach into.

    The next entry of a block goes to ``out[places[block]]``, and the place advances; a block whose place is -1 has no list.
    """
    for k in range(rows.shape[0]):
        i = rows[k]
        reach = np.float64(radii[i]) + margin + 1
        row0, row1 = _first_and_last(points[i, 0] - low[0], reach, side_y, n_y)
        column0, column1 = _first_and_last(points[i, 1] - low[1], reach, side_x, n_x)
        for row in range(row0, row1 + 1):
            for column in range(column0, column1 + 1):
                block = row * n_x + column
                if places[block] >= 0:
                    out[places[block]] = i
                    places[block] += 1

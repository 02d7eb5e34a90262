"""Exact Euclidean distance of each pixel to the nearest pixel of another label, for all objects at once.

The squared distance is the minimum, over the columns, of the squared distance along the column plus that to the column (Saito &
Toriwaki, "New algorithms for Euclidean distance transformation", Pattern Recognition 1994). Within an object only
columns up to the first other label left and right can hold the minimum, so objects do not disturb each other.
"""

from __future__ import annotations

import math

import numpy as np

from ._kernels import kernel

FAR = 1 << 26
"""Distance in pixels along a row or column without another label; its square is exact in float64 and above any real one."""


@kernel
def along_columns(labels, out):
    """Fill ``out`` with the distance of each pixel to the nearest one of its column with another label, or at least ``FAR``."""
    height, width = labels.shape
    far, one = np.int32(FAR), np.int32(1)
    out[0] = far
    for y in range(1, height):
        row, above, line, line_above = labels[y], labels[y - 1], out[y], out[y - 1]
        for x in range(width):
            line[x] = np.int32(np.int32(row[x] == above[x]) * line_above[x] + one)
    # distances to the next other label below, from the last row upwards
    behind = np.full(width, far, np.int32)
    for y in range(height - 2, -1, -1):
        row, below, line = labels[y], labels[y + 1], out[y]
        for x in range(width):
            behind[x] = np.int32(np.int32(row[x] == below[x]) * behind[x] + one)
            line[x] = min(line[x], behind[x])


@kernel
def _squared(labels, in_column, y, x):
    """Squared distance of one pixel, given the distances along columns."""
    row, line = labels[y], in_column[y]
    value = row[x]
    best = np.int64(min(line[x], FAR)) ** 2
    for sign in (-1, 1):
        step, column = 1, x + sign
        while step * step < best and 0 <= column < row.shape[0]:
            if row[column] != value:
                best = np.int64(step * step)
                break
            along = np.int64(line[column])
            best = min(best, np.int64(step * step) + along * along)
            step, column = step + 1, column + sign
    return best


@kernel
def normalized(labels, in_column, grid_y, grid_x, largest, depth, out):
    """Fill ``out`` (h, w) at objects with the distance of each grid pixel, divided by the largest of its object.

    ``largest`` (max label + 1,) is zero before; ``depth``, shaped as ``out``, takes the distances. Pixels off the grid are
    computed only if they may be the deepest of their object: none is deeper than a grid pixel by more than its distance to it.
    """
    height, width = labels.shape
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            y, x = i * grid_y, j * grid_x
            label = labels[y, x]
            if label > 0:
                depth[i, j] = math.sqrt(_squared(labels, in_column, y, x))
                largest[label] = max(largest[label], depth[i, j])
    for y in range(height):
        i = y // grid_y
        down = y - i * grid_y
        for right in range(grid_x):
            if down == 0 and right == 0:
                continue
            # slightly more, since the bound is rounded; different distances differ by far more
            way = math.sqrt(down * down + right * right) + 1e-9
            for j in range((width - right + grid_x - 1) // grid_x):
                x = j * grid_x + right
                label = labels[y, x]
                if label > 0 and (labels[y - down, x - right] != label or depth[i, j] + way > largest[label]):
                    largest[label] = max(largest[label], math.sqrt(_squared(labels, in_column, y, x)))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            label = labels[i * grid_y, j * grid_x]
            if label > 0:
                out[i, j] = depth[i, j] / largest[label]

"""Exact Euclidean distance of each pixel to the nearest pixel of another label, for all objects at once.

The squared distance is the minimum over the rows of the squared distance along that row plus that to it (Saito &
Toriwaki, "New algorithms for Euclidean distance transformation", Pattern Recognition 1994). Within an object only
rows up to the first other label above and below can hold the minimum, so every object is seen as if it were alone.
"""

from __future__ import annotations

import math

import numpy as np

from ._kernels import kernel

#: along a row or column in which nothing else is in sight; its square is exact in float64 and far above any distance
FAR = 1 << 26


@kernel
def along_rows(labels, out):
    """Fill ``out`` with the distance of each pixel to the nearest one of its row with another label, or ``FAR``."""
    height, width = labels.shape
    for y in range(height):
        distance = FAR
        for x in range(width):
            if x > 0 and labels[y, x] != labels[y, x - 1]:
                distance = 0
            distance = min(distance + 1, FAR)
            out[y, x] = distance
        distance = FAR
        for x in range(width - 1, -1, -1):
            if x < width - 1 and labels[y, x] != labels[y, x + 1]:
                distance = 0
            distance = min(distance + 1, FAR)
            out[y, x] = min(out[y, x], distance)


@kernel
def _squared(labels, in_row, y, x):
    """Squared distance of one pixel, given those along rows."""
    value = labels[y, x]
    best = np.int64(in_row[y, x]) * np.int64(in_row[y, x])
    for sign in (-1, 1):
        step, row = 1, y + sign
        while step * step < best and 0 <= row < labels.shape[0]:
            if labels[row, x] != value:
                best = np.int64(step * step)
                break
            across = np.int64(in_row[row, x])
            best = min(best, np.int64(step * step) + across * across)
            step, row = step + 1, row + sign
    return best


@kernel
def normalized(labels, in_row, largest, squared, out):
    """Fill ``out`` with each pixel's distance over the largest of its object; 0 outside objects.

    ``largest`` (max label + 1,) is zero; ``squared``, like ``labels``, takes the squared distances.
    """
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if label > 0:
                squared[y, x] = _squared(labels, in_row, y, x)
                largest[label] = max(largest[label], squared[y, x])
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            out[y, x] = math.sqrt(squared[y, x]) / math.sqrt(largest[label]) if label > 0 else 0.0

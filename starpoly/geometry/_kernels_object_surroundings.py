"""Intensities of the objects of a label image and of the background around them, and their neighbours."""

from __future__ import annotations

import math

import numpy as np

from ._kernels import kernel

N_STATISTICS = 7
"""Mean, median, standard deviation, minimum, maximum, sum; mean of the background around."""
_DISTANCE, _IN_REACH, _IN_GAP = 63, 64, 128
"""Bits of what is known of a pixel: its distance along its row, and whether it is within reach and within the gap."""
LARGEST_REACH = _DISTANCE - 1
"""Largest distance around an object, in pixels."""


@kernel
def measure_intensities(labels, ids, boxes, pixels, gap, reach, out):
    """Statistics (n, C, 7) of the finite values of ``pixels`` (C, Y, X) in each object, and in the background around it."""
    size, near = _scratch(boxes, reach)
    values = np.empty(size, np.float64)
    for i in range(ids.shape[0]):
        box = boxes[i]
        if box[2] <= box[0] or box[3] <= box[1]:
            continue
        _find_near(labels, ids[i], box, gap, reach, near)
        for channel in range(pixels.shape[0]):
            _describe(values[: _gather(labels, ids[i], box, pixels[channel], values)], out[i, channel])
            out[i, channel, 6] = _mean_around(labels, box, pixels[channel], reach, near)


@kernel
def count_neighbours(labels, ids, boxes, reach, counts):
    """Number of other labels with a pixel within ``reach`` pixels of each object, along rows and columns."""
    size, near = _scratch(boxes, reach)
    seen = np.empty(size, labels.dtype)
    for i in range(ids.shape[0]):
        box = boxes[i]
        if box[2] <= box[0] or box[3] <= box[1]:
            continue
        _find_near(labels, ids[i], box, 0, reach, near)
        counts[i] = _count_labels(labels, ids[i], box, reach, near, seen)


@kernel
def _scratch(boxes, reach):
    """Pixels of the largest box with a margin, and flags for such a box."""
    height = width = 0
    for i in range(boxes.shape[0]):
        height, width = max(height, boxes[i, 2] - boxes[i, 0]), max(width, boxes[i, 3] - boxes[i, 1])
    height, width = height + 2 * reach, width + 2 * reach
    return height * width, np.empty((height, width), np.uint8)


@kernel
def _gather(labels, label, box, pixels, values):
    """Copy the finite values of an object, row by row; their number."""
    n = 0
    for y in range(box[0], box[2]):
        for x in range(box[1], box[3]):
            if labels[y, x] == label and math.isfinite(pixels[y, x]):
                values[n] = pixels[y, x]
                n += 1
    return n


@kernel
def _describe(values, out):
    """Fill in the statistics of the values; leave them if there are none."""
    n = values.shape[0]
    if n == 0:
        return
    total, low, high = 0.0, values[0], values[0]
    for value in values:
        total += value
        low, high = min(low, value), max(high, value)
    mean, squares = total / n, 0.0
    for value in values:
        squares += (value - mean) * (value - mean)
    out[0], out[2], out[3], out[4], out[5] = mean, math.sqrt(squares / n), low, high, total
    out[1] = _median(values)


@kernel
def _median(values):
    """Median; reorders the values."""
    n = values.shape[0]
    upper = _select(values, n // 2)
    if n % 2:
        return upper
    lower = values[0]
    for k in range(1, n // 2):
        lower = max(lower, values[k])
    return (lower + upper) / 2


@kernel
def _select(values, k):
    """The k-th smallest value (Hoare's FIND); those before it become at most as large."""
    low, high = 0, values.shape[0] - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return values[k]


@kernel
def _find_near(labels, label, box, gap, reach, near):
    """Flag the pixels within ``reach`` of an object along rows and columns, but not within ``gap``, in a box with a margin."""
    height, width = box[2] - box[0] + 2 * reach, box[3] - box[1] + 2 * reach
    near[:height, :width] = reach + 1
    for y in range(reach, height - reach):
        _find_distances(labels[box[0] + y - reach, box[1] : box[3]], label, near[y, :width], reach)
    for x in range(width):
        _spread(near[:height, x], gap, reach)


@kernel
def _find_distances(labels, label, distances, reach):
    """Distance of each pixel of a row to the object, at most ``reach + 1``; the row has a margin of ``reach``."""
    n, last = distances.shape[0], -distances.shape[0]
    for x in range(n):
        if reach <= x < n - reach and labels[x - reach] == label:
            last = x
        distances[x] = min(x - last, reach + 1)
    last = 2 * n
    for x in range(n - 1, -1, -1):
        if distances[x] == 0:
            last = x
        distances[x] = min(distances[x], last - x)


@kernel
def _spread(column, gap, reach):
    """Replace distances along rows by flags: 1 within reach of the object but not within the gap, else 0."""
    n = column.shape[0]
    last, last_close = -n, -n
    for y in range(n):
        if column[y] <= reach:
            last = y
        if column[y] <= gap:
            last_close = y
        column[y] |= _IN_REACH * (y - last <= reach) | _IN_GAP * (y - last_close <= gap)
    last, last_close = 2 * n, 2 * n
    for y in range(n - 1, -1, -1):
        distance = column[y] & _DISTANCE
        if distance <= reach:
            last = y
        if distance <= gap:
            last_close = y
        is_close = column[y] & _IN_GAP or last_close - y <= gap
        column[y] = not is_close and (column[y] & _IN_REACH or last - y <= reach)


@kernel
def _mean_around(labels, box, pixels, reach, near):
    """Mean of the finite values of the flagged pixels without a label; NaN without any."""
    total, n = 0.0, 0
    for y in range(max(0, box[0] - reach), min(labels.shape[0], box[2] + reach)):
        for x in range(max(0, box[1] - reach), min(labels.shape[1], box[3] + reach)):
            if near[y - box[0] + reach, x - box[1] + reach] and labels[y, x] == 0 and math.isfinite(pixels[y, x]):
                total, n = total + pixels[y, x], n + 1
    return total / n if n else math.nan


@kernel
def _count_labels(labels, label, box, reach, near, seen):
    """Number of labels at the flagged pixels, but for the object's own."""
    n = 0
    for y in range(max(0, box[0] - reach), min(labels.shape[0], box[2] + reach)):
        for x in range(max(0, box[1] - reach), min(labels.shape[1], box[3] + reach)):
            other = labels[y, x]
            if other == 0 or not near[y - box[0] + reach, x - box[1] + reach] or other == label:
                continue
            k = 0
            while k < n and seen[k] != other:
                k += 1
            if k == n:
                seen[n] = other
                n += 1
    return n

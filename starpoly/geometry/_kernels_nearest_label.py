"""The nearest label of pixels, by exact Euclidean distance: along columns first, then along rows."""

from __future__ import annotations

import numpy as np

from ._kernels import kernel


@kernel
def nearest_in_columns(labels, first, step, n_rows, reach):
    """The nearest label above or below each pixel of the rows ``first``, ``first + step`` ...

    Returns how far it is, -1 if farther than ``reach``, and the label; the smaller one of two at the same distance.
    """
    height, width = labels.shape
    gap = np.full((n_rows, width), -1, np.int32)
    near = np.zeros((n_rows, width), labels.dtype)
    seen = np.full(width, -1, np.int32)
    for y in range(min(height, first + step * (n_rows - 1) + 1)):
        for x in range(width):
            if labels[y, x] != 0:
                seen[x] = y
        if y >= first and (y - first) % step == 0:
            row = (y - first) // step
            for x in range(width):
                if seen[x] >= 0 and y - seen[x] <= reach:
                    gap[row, x], near[row, x] = y - seen[x], labels[seen[x], x]
    seen[:] = -1
    for y in range(height - 1, first - 1, -1):
        for x in range(width):
            if labels[y, x] != 0:
                seen[x] = y
        if (y - first) % step == 0 and (y - first) // step < n_rows:
            row = (y - first) // step
            for x in range(width):
                if seen[x] < 0 or seen[x] - y > reach:
                    continue
                below, label = seen[x] - y, labels[seen[x], x]
                if gap[row, x] < 0 or below < gap[row, x] or (below == gap[row, x] and label < near[row, x]):
                    gap[row, x], near[row, x] = below, label
    return gap, near


@kernel
def nearest_in_rows(gap, near, first, step, n_columns, weight, limit):
    """The nearest label of the columns ``first``, ``first + step`` ..., from those along the columns.

    The squared distance of a label ``gap`` rows and ``dx`` columns away is ``weight * gap**2 + dx**2``; labels farther than
    ``limit`` do not count, of several at the same distance the smallest does.
    """
    n_rows, width = gap.shape
    out = np.zeros((n_rows, n_columns), near.dtype)
    left = np.empty(width, np.int32)  # columns to the nearest one with a label, on this side or on the other
    far = np.int32(width)
    for row in range(n_rows):
        since = far
        for x in range(width):
            since = np.int32(0) if gap[row, x] >= 0 else min(far, since + 1)
            left[x] = since
        since = far
        for x in range(width - 1, -1, -1):
            since = np.int32(0) if gap[row, x] >= 0 else min(far, since + 1)
            left[x] = min(left[x], since)
        for column in range(n_columns):
            out[row, column] = _nearest(gap[row], near[row], first + column * step, left, weight, limit)
    return out


@kernel
def _nearest(gap, near, x, start, weight, limit):
    """The nearest label of a pixel, 0 if there is none within ``limit``."""
    best, label = limit, near.dtype.type(0)
    dx = start[x]
    while dx * dx <= best and dx < len(gap):
        for side in (x - dx, x + dx):
            if side < 0 or side >= len(gap) or gap[side] < 0:
                continue
            distance = weight * gap[side] * gap[side] + float(dx) * dx
            if distance < best or (distance == best and (label == 0 or near[side] < label)):
                best, label = distance, near[side]
        dx += 1
    return label

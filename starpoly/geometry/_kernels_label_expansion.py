"""Labels that expand into a mask, a pixel at a time."""

from __future__ import annotations

import numpy as np

from ._kernels import kernel


@kernel
def expand(labels, foreground, distance):
    """Expand labels in place; pixels claimed in a step are negative until its end."""
    room = _count_free(labels, foreground)
    claimed, next_claimed = np.empty((room, 2), np.int32), np.empty((room, 2), np.int32)
    n = 0
    for step in range(distance):
        n_next = 0
        if step == 0:
            for y in range(labels.shape[0]):
                for x in range(labels.shape[1]):
                    if labels[y, x] > 0:
                        n_next = _claim_around(labels, foreground, y, x, next_claimed, n_next)
        else:
            for i in range(n):
                n_next = _claim_around(labels, foreground, claimed[i, 0], claimed[i, 1], next_claimed, n_next)
        if n_next == 0:
            break
        for i in range(n_next):
            y, x = next_claimed[i, 0], next_claimed[i, 1]
            labels[y, x] = -labels[y, x]
        n = n_next
        claimed, next_claimed = next_claimed, claimed


@kernel
def _count_free(labels, foreground):
    """Number of foreground pixels without a label."""
    n = 0
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            n += labels[y, x] == 0 and foreground[y, x]
    return n


@kernel
def _claim_around(labels, foreground, y, x, claimed, n):
    """Claim the free neighbours of a pixel for its label; the number of pixels claimed so far."""
    label = labels[y, x]
    n = _claim(labels, foreground, y - 1, x, label, claimed, n)
    n = _claim(labels, foreground, y, x - 1, label, claimed, n)
    n = _claim(labels, foreground, y, x + 1, label, claimed, n)
    return _claim(labels, foreground, y + 1, x, label, claimed, n)


@kernel
def _claim(labels, foreground, y, x, label, claimed, n):
    """Claim a pixel that is free, or that a larger label claimed in this step."""
    if y < 0 or x < 0 or y >= labels.shape[0] or x >= labels.shape[1] or labels[y, x] > 0 or not foreground[y, x]:
        return n
    if labels[y, x] == 0:
        claimed[n, 0], claimed[n, 1] = y, x
        labels[y, x] = -label
        return n + 1
    labels[y, x] = max(labels[y, x], -label)
    return n

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
        if step == 0:
            n = _claim_beside_labels(labels, foreground, next_claimed)
        else:
            n = _claim_around(labels, foreground, claimed[:n], next_claimed)
        if n == 0:
            break
        for i in range(n):
            y, x = next_claimed[i, 0], next_claimed[i, 1]
            labels[y, x] = -labels[y, x]
        claimed, next_claimed = next_claimed, claimed


@kernel
def _count_free(labels, foreground):
    """Number of foreground pixels without a label."""
    n = 0
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            n += (labels[y, x] == 0) & foreground[y, x]
    return n


@kernel
def _claim_beside_labels(labels, foreground, claimed):
    """Claim every free pixel beside a label for the smallest of its neighbours; the number of pixels claimed.

    The first step asks the free pixels, of which there are few: it would have to go around all that have a label.
    """
    height, width = labels.shape
    n = 0
    for y in range(height):
        for x in range(width):
            if labels[y, x] != 0 or not foreground[y, x]:
                continue
            label = 0
            if y > 0:
                label = _smaller(label, labels[y - 1, x])
            if x > 0:
                label = _smaller(label, labels[y, x - 1])
            if x + 1 < width:
                label = _smaller(label, labels[y, x + 1])
            if y + 1 < height:
                label = _smaller(label, labels[y + 1, x])
            if label > 0:
                claimed[n, 0], claimed[n, 1] = y, x
                labels[y, x] = -label
                n += 1
    return n


@kernel
def _smaller(label, other):
    """The smaller of two labels; 0 is none, and so is a negative one, which was claimed in this step."""
    return other if other > 0 and (label == 0 or other < label) else label


@kernel
def _claim_around(labels, foreground, claimed, next_claimed):
    """Claim the free neighbours of the pixels claimed before, for the smallest label; the number of pixels claimed now.

    One loop: arrays that are handed to a function for every pixel would take most of the time.
    """
    height, width = labels.shape
    n = 0
    for i in range(len(claimed)):
        y, x = claimed[i, 0], claimed[i, 1]
        label = labels[y, x]
        for side in range(4):
            v = y + (side == 3) - (side == 0)
            u = x + (side == 2) - (side == 1)
            if v < 0 or u < 0 or v >= height or u >= width or labels[v, u] > 0 or not foreground[v, u]:
                continue
            if labels[v, u] == 0:
                next_claimed[n, 0], next_claimed[n, 1] = v, u
                n += 1
                labels[v, u] = -label
            elif labels[v, u] < -label:  # a larger label claimed it in this step
                labels[v, u] = -label
    return n

"""Outlines of masks: followed between pixels, simplified, checked for crossings."""

from __future__ import annotations

import math

import numpy as np

from ._kernels import kernel


@kernel
def follow(mask, y, x):
    """The outer boundary of the piece whose topmost row begins at a pixel, as midpoints (x, y) of pixel edges.

    The edges are walked with the piece on the right. Where two pixels touch at a corner alone, the walk turns right, so it
    passes no edge twice and the midpoints bound a simple polygon.
    """
    height, width = mask.shape
    points = np.empty((64, 2), np.float64)
    n = 0
    at_y, at_x, dy, dx = y, x, 0, 1
    while True:
        if n == len(points):
            points = np.concatenate((points, np.empty_like(points)))
        points[n, 0], points[n, 1] = at_x + 0.5 * dx, at_y + 0.5 * dy
        n += 1
        at_y, at_x = at_y + dy, at_x + dx
        right = _inside(mask, at_y + (dy + dx - 1) // 2, at_x + (dx - dy - 1) // 2, height, width)
        left = _inside(mask, at_y + (dy - dx - 1) // 2, at_x + (dx + dy - 1) // 2, height, width)
        if not right:
            dy, dx = dx, -dy
        elif left:
            dy, dx = -dx, dy
        if at_y == y and at_x == x and dy == 0 and dx == 1:
            return points[:n]


@kernel
def _inside(mask, y, x, height, width):
    return 0 <= y < height and 0 <= x < width and mask[y, x]


@kernel
def simplify(ring, tolerance):
    """Which vertices of a closed ring stay, so that the others lie within a distance of it (Douglas and Peucker 1973)."""
    n = len(ring)
    keep = np.zeros(n, np.bool_)
    far = 0
    for i in range(n):
        if _squared(ring, i, 0, 0) > _squared(ring, far, 0, 0):
            far = i
    keep[0] = keep[far] = True
    stack = np.empty((n + 2, 2), np.int64)
    stack[0, 0], stack[0, 1] = 0, far
    stack[1, 0], stack[1, 1] = far, n
    n_open = 2
    while n_open:
        n_open -= 1
        start, stop = stack[n_open]
        worst, where = tolerance * tolerance, -1
        for i in range(start + 1, stop):
            distance = _squared(ring, i, start, stop % n)
            if distance > worst:
                worst, where = distance, i
        if where >= 0:
            keep[where] = True
            stack[n_open, 0], stack[n_open, 1] = start, where
            stack[n_open + 1, 0], stack[n_open + 1, 1] = where, stop
            n_open += 2
    return keep


@kernel
def _squared(ring, i, start, stop):
    """Squared distance of a vertex from the segment between two others."""
    x, y = ring[i, 0] - ring[start, 0], ring[i, 1] - ring[start, 1]
    along_x, along_y = ring[stop, 0] - ring[start, 0], ring[stop, 1] - ring[start, 1]
    length = along_x * along_x + along_y * along_y
    part = 0.0 if length == 0 else min(1.0, max(0.0, (x * along_x + y * along_y) / length))
    x, y = x - part * along_x, y - part * along_y
    return x * x + y * y


@kernel
def enclosed(ring):
    """Area inside a closed ring."""
    area, last = 0.0, len(ring) - 1
    for i in range(len(ring)):
        area += ring[last, 0] * ring[i, 1] - ring[last, 1] * ring[i, 0]
        last = i
    return area / 2


@kernel
def is_simple(ring):
    """Whether no two edges of a closed ring meet but neighbours in their common vertex."""
    n = len(ring)
    for i in range(n):
        for j in range(i + 1, n):
            if j == i + 1 or (i == 0 and j == n - 1):
                a, b, c = (i, j, (j + 1) % n) if j == i + 1 else (j, i, i + 1)
                if _turn(ring, a, b, c) == 0 and _ahead(ring, a, b, c) < 0:
                    return False
            elif _meet(ring, i, (i + 1) % n, j, (j + 1) % n):
                return False
    return True


@kernel
def _turn(ring, a, b, c):
    """Sign of the turn at b on the way from a to c."""
    cross = (ring[b, 0] - ring[a, 0]) * (ring[c, 1] - ring[b, 1]) - (ring[b, 1] - ring[a, 1]) * (
        ring[c, 0] - ring[b, 0]
    )
    return 0 if cross == 0 else int(math.copysign(1, cross))


@kernel
def _ahead(ring, a, b, c):
    """Whether the way from b to c goes on (> 0) or back (< 0)."""
    return (ring[b, 0] - ring[a, 0]) * (ring[c, 0] - ring[b, 0]) + (ring[b, 1] - ring[a, 1]) * (ring[c, 1] - ring[b, 1])


@kernel
def _meet(ring, a, b, c, d):
    """Whether the segments a-b and c-d have a point in common."""
    sides = _turn(ring, a, b, c), _turn(ring, a, b, d), _turn(ring, c, d, a), _turn(ring, c, d, b)
    if sides[0] != sides[1] and sides[2] != sides[3]:
        return True
    return (
        (sides[0] == 0 and _within(ring, a, b, c))
        or (sides[1] == 0 and _within(ring, a, b, d))
        or (sides[2] == 0 and _within(ring, c, d, a))
        or (sides[3] == 0 and _within(ring, c, d, b))
    )


@kernel
def _within(ring, a, b, c):
    """Whether c, on the line through a and b, lies between them."""
    return min(ring[a, 0], ring[b, 0]) <= ring[c, 0] <= max(ring[a, 0], ring[b, 0]) and min(
        ring[a, 1], ring[b, 1]
    ) <= ring[c, 1] <= max(ring[a, 1], ring[b, 1])

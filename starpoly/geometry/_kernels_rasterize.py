"""Scanline filling of star-convex polygons, first come first served.

A row of pixels crosses an edge in one point. There are two consistent ways to treat an edge that ends exactly on the row: its end
counts as below the row, or as above. The first gives the pixels with an odd number of crossings to their right, the second those
with an odd number to their left. Together, and with the vertices, these are the closed polygon. All comparisons are between
absolute coordinates and integers, so a pixel does not depend on the window that is drawn.
"""

from __future__ import annotations

import math

import numpy as np

from ._kernels import kernel

_VERTEX_TOLERANCE = 1e-12
"""A pixel whose centre is this close to a vertex, in pixels, belongs to the polygon."""


@kernel
def _insert(values, count, value):
    """Insert ``value`` into the sorted ``values[:count]``."""
    while count > 0 and values[count - 1] > value:
        values[count] = values[count - 1]
        count -= 1
    values[count] = value


@kernel
def _cross_row(row, ys, xs, before, after):
    """Where row ``row`` crosses the edges, as pixel columns.

    Fills ``before`` with the last pixel left of each crossing (ends on the row lie below it), and ``after`` with the
    first pixel right of each crossing (ends on the row lie above it), both sorted; returns their numbers.
    """
    n_before = n_after = 0
    last = ys.shape[0] - 1
    y1, x1 = ys[last] - row, xs[last]
    for k in range(last + 1):
        y0, x0 = ys[k] - row, xs[k]
        crosses_up = (y0 > 0) != (y1 > 0)
        crosses_down = (y0 < 0) != (y1 < 0)
        if crosses_up or crosses_down:
            column = np.rint(x0 - y0 * ((x1 - x0) / (y1 - y0)))
            # the side on which the nearest pixel lies is decided by coordinates relative to it, which are exact
            side = ((x0 - column) * y1 - (x1 - column) * y0) / (y1 - y0)
            if crosses_up:
                _insert(before, n_before, column if side > 0 else column - 1)
                n_before += 1
            if crosses_down:
                _insert(after, n_after, column if side < 0 else column + 1)
                n_after += 1
        y1, x1 = y0, x0
    return n_before, n_after


@kernel
def _claim(line, start, stop, value):
    """Give the unowned pixels of ``line[start:stop]`` to ``value``."""
    for x in range(int(max(start, 0)), int(min(stop, line.shape[0]))):
        if line[x] == 0:
            line[x] = value


@kernel
def _fill(ys, xs, value, top, left, out, before, after):
    """Fill one polygon into ``out``, whose pixel (0, 0) is the image's pixel (top, left)."""
    height = out.shape[0]
    first = int(max(math.floor(ys.min()) - top, 0))
    stop = int(min(math.ceil(ys.max()) - top + 1, height))
    for i in range(first, stop):
        line = out[i]
        n_before, n_after = _cross_row(top + i, ys, xs, before, after)
        for k in range(0, n_before - 1, 2):
            _claim(line, before[k] + 1 - left, before[k + 1] + 1 - left, value)
        for k in range(0, n_after - 1, 2):
            _claim(line, after[k] - left, after[k + 1] - left, value)
    for k in range(ys.shape[0]):
        y, x = np.rint(ys[k]), np.rint(xs[k])
        i = y - top
        if abs(ys[k] - y) < _VERTEX_TOLERANCE and abs(xs[k] - x) < _VERTEX_TOLERANCE and 0 <= i < height:
            _claim(out[int(i)], x - left, x - left + 1, value)


@kernel
def fill_polygons(points, distances, order, ids, sin, cos, top, left, out):
    """Fill the polygons ``order`` into ``out``, each into pixels that are still 0; polygon ``i`` becomes ``ids[i]``."""
    n_rays = sin.shape[0]
    height, width = out.shape
    ys, xs = np.empty(n_rays), np.empty(n_rays)
    before, after = np.empty(n_rays + 1), np.empty(n_rays + 1)
    for i in order:
        y, x = np.float64(points[i, 0]), np.float64(points[i, 1])
        radius = np.float64(distances[i].max()) + 1
        if y + radius < top or x + radius < left or y - radius > top + height or x - radius > left + width:
            continue
        for k in range(n_rays):
            ys[k] = y + distances[i, k] * sin[k]
            xs[k] = x + distances[i, k] * cos[k]
        _fill(ys, xs, ids[i], top, left, out, before, after)


@kernel
def covers_exactly(points, distances, ids, boxes, sin, cos, top, left, labels):
    """Whether each polygon alone covers exactly the pixels of its id in its box (y0, x0, y1, x1); labels begin at (top, left)."""
    n_rays = sin.shape[0]
    ys, xs = np.empty(n_rays), np.empty(n_rays)
    before, after = np.empty(n_rays + 1), np.empty(n_rays + 1)
    same = np.empty(len(points), np.bool_)
    for i in range(len(points)):
        y0, x0, y1, x1 = boxes[i]
        alone = np.zeros((y1 - y0, x1 - x0), np.uint8)
        for k in range(n_rays):
            ys[k] = np.float64(points[i, 0]) + distances[i, k] * sin[k]
            xs[k] = np.float64(points[i, 1]) + distances[i, k] * cos[k]
        _fill(ys, xs, 1, y0, x0, alone, before, after)
        same[i] = True
        for y in range(y1 - y0):
            for x in range(x1 - x0):
                if (alone[y, x] == 1) != (labels[y0 - top + y, x0 - left + x] == ids[i]):
                    same[i] = False
    return same

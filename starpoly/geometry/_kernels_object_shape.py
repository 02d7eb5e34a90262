"""Shape of the objects of a label image: moments, perimeter, convex hull and Feret diameter, each object from its own box.

Counts and moments are integers, so nothing depends on where a window begins. Points of the hull have doubled coordinates: the
middles of a pixel's four sides are integers then, and comparisons are exact.
"""

from __future__ import annotations

import math

import numpy as np

from ._kernels import kernel

N_INTEGERS = 7
"""Area, bounding box (y0, x0, y1, x1), sums of coordinates (y, x)."""
N_FLOATS = 7
"""Second moments (yy, xx, xy), perimeter, convex area, Feret diameter in pixels and in units of the spacing."""


@kernel
def find_boxes(labels, top, boxes):
    """Extend half-open boxes (n + 1, 4), by label, by rows of labels that begin at ``top``; a box begins as (high, high, 0, 0)."""
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label = labels[y, x]
            if label:
                box = boxes[label]
                box[0], box[1] = min(box[0], top + y), min(box[1], x)
                box[2], box[3] = max(box[2], top + y + 1), max(box[3], x + 1)


@kernel
def measure_shapes(labels, ids, boxes, spacing, integers, floats):
    """Fill in ``integers`` (n, 7) and ``floats`` (n, 7) of objects. ``boxes`` (n, 4) hold all pixels of each."""
    height, width = 1, 1
    for i in range(ids.shape[0]):
        height, width = max(height, boxes[i, 2] - boxes[i, 0]), max(width, boxes[i, 3] - boxes[i, 1])
    border = np.zeros((height + 2, width + 2), np.uint8)
    rows, ends = np.empty((height, 2), np.int64), np.empty((2 * height + 1, 2), np.int64)
    hull = np.empty((2 * (2 * height + 1), 2), np.int64)
    for i in range(ids.shape[0]):
        if _measure_moments(labels, ids[i], boxes[i], integers[i], floats[i]) == 0:
            continue
        y0, x0, y1, x1 = integers[i, 1], integers[i, 2], integers[i, 3], integers[i, 4]
        floats[i, 3] = _perimeter(labels, ids[i], y0, x0, y1, x1, border)
        _fill_rows(labels, ids[i], y0, x0, y1, x1, rows)
        n_left, n = _find_hull(rows[: y1 - y0], ends, hull)
        floats[i, 4] = _fill_hull(hull, n_left, n, rows[: y1 - y0])
        _, n = _find_hull(rows[: y1 - y0], ends, hull)
        floats[i, 5] = _longest(hull, n, 1.0, 1.0)
        floats[i, 6] = _longest(hull, n, spacing[0], spacing[1])


@kernel
def _measure_moments(labels, label, box, integers, floats):
    """Area, true box, sums of coordinates, central moments divided by the area; the area."""
    area = sy = sx = syy = sxx = sxy = 0
    y0, x0, y1, x1 = box[2], box[3], box[0], box[1]
    for y in range(box[0], box[2]):
        v = y - box[0]
        for x in range(box[1], box[3]):
            if labels[y, x] == label:
                u = x - box[1]
                area += 1
                sy, sx, syy, sxx, sxy = sy + v, sx + u, syy + v * v, sxx + u * u, sxy + v * u
                y0, x0, y1, x1 = min(y0, y), min(x0, x), max(y1, y + 1), max(x1, x + 1)
    integers[0] = area
    if area == 0:
        return 0
    integers[1], integers[2], integers[3], integers[4] = y0, x0, y1, x1
    integers[5], integers[6] = sy + box[0] * area, sx + box[1] * area
    # about the pixel nearest to the centroid sums are small, and exact until the last division
    cy, cx = (2 * sy + area) // (2 * area), (2 * sx + area) // (2 * area)
    ry, rx = sy - cy * area, sx - cx * area
    floats[0] = (syy - 2 * cy * sy + cy * cy * area - ry * (ry / area)) / area
    floats[1] = (sxx - 2 * cx * sx + cx * cx * area - rx * (rx / area)) / area
    floats[2] = (sxy - cy * sx - cx * sy + cy * cx * area - ry * (rx / area)) / area
    return area


@kernel
def _perimeter(labels, label, y0, x0, y1, x1, border):
    """scikit-image's perimeter of neighbourhood 4: border pixels, weighted by how they follow one another."""
    for y in range(y0 - 1, y1 + 1):
        for x in range(x0 - 1, x1 + 1):
            border[y - y0 + 1, x - x0 + 1] = _is_border(labels, label, y, x, y0, x0, y1, x1)
    straight = diagonal = bent = 0
    for y in range(1, y1 - y0 + 1):
        for x in range(1, x1 - x0 + 1):
            if border[y, x]:
                sides = border[y - 1, x] + border[y + 1, x] + border[y, x - 1] + border[y, x + 1]
                corners = border[y - 1, x - 1] + border[y - 1, x + 1] + border[y + 1, x - 1] + border[y + 1, x + 1]
                if (sides == 2 or sides == 3) and corners <= 2:
                    straight += 1
                elif (sides == 0 and corners == 2) or (sides == 1 and corners == 3):
                    diagonal += 1
                elif sides == 1 and (corners == 1 or corners == 2):
                    bent += 1
    return straight + diagonal * math.sqrt(2) + bent * (1 + math.sqrt(2)) / 2


@kernel
def _is_border(labels, label, y, x, y0, x0, y1, x1):
    """Whether a pixel belongs to the object and one of its four neighbours does not."""
    if y < y0 or x < x0 or y >= y1 or x >= x1 or labels[y, x] != label:
        return False
    if y == y0 or x == x0 or y == y1 - 1 or x == x1 - 1:
        return True
    return not (
        labels[y - 1, x] == label
        and labels[y + 1, x] == label
        and labels[y, x - 1] == label
        and labels[y, x + 1] == label
    )


@kernel
def _fill_rows(labels, label, y0, x0, y1, x1, rows):
    """First and last column of the object in each row of its box; (0, -1) in a row without a pixel."""
    for y in range(y0, y1):
        first, last = 0, -1
        for x in range(x0, x1):
            if labels[y, x] == label:
                if last < 0:
                    first = x - x0
                last = x - x0
        rows[y - y0, 0], rows[y - y0, 1] = first, last


@kernel
def _find_hull(rows, ends, hull):
    """Vertices (y, x) of the convex hull of all side middles, doubled; the left chain, then the right one, both downwards.

    Returns the number of vertices of the left chain, and of both. Each chain runs from the first to the last line.
    """
    ends = ends[: 2 * rows.shape[0] + 1]
    for line in range(ends.shape[0]):
        ends[line, 0], ends[line, 1] = 0, -1
    for row in range(rows.shape[0]):
        first, last = 2 * rows[row, 0], 2 * rows[row, 1]
        if last >= 0:
            _widen(ends, 2 * row, first, last)
            _widen(ends, 2 * row + 1, first - 1, last + 1)
            _widen(ends, 2 * row + 2, first, last)
    n_left = _add_chain(ends, 0, 1, hull, 0)
    return n_left, _add_chain(ends, 1, -1, hull, n_left)


@kernel
def _widen(ends, line, first, last):
    """Let a line reach from ``first`` to ``last``, at least; an empty one is (0, -1)."""
    if ends[line, 1] < ends[line, 0]:
        ends[line, 0], ends[line, 1] = first, last
    else:
        ends[line, 0], ends[line, 1] = min(ends[line, 0], first), max(ends[line, 1], last)


@kernel
def _add_chain(ends, side, sign, hull, start):
    """Append the hull's chain of one side; lines that are empty have no point. Doubled rows begin at -1."""
    n = start
    for line in range(ends.shape[0]):
        if ends[line, 1] < ends[line, 0]:
            continue
        y, x = line - 1, ends[line, side]
        while n - start >= 2:
            y0, x0, y1, x1 = hull[n - 2, 0], hull[n - 2, 1], hull[n - 1, 0], hull[n - 1, 1]
            if sign * ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) < 0:
                break  # the last one lies outside of the straight line from the one before
            n -= 1
        hull[n, 0], hull[n, 1] = y, x
        n += 1
    return n


@kernel
def _fill_hull(hull, n_left, n, rows):
    """Set the rows to the pixels whose centres lie in the hull or on it; their number."""
    count, left, right = 0, 0, n_left
    for row in range(rows.shape[0]):
        while hull[left + 1, 0] < 2 * row:
            left += 1
        while hull[right + 1, 0] < 2 * row:
            right += 1
        rows[row, 0], rows[row, 1] = -_floor_at(hull, left, 2 * row, -1), _floor_at(hull, right, 2 * row, 1)
        count += max(0, rows[row, 1] - rows[row, 0] + 1)
    return count


@kernel
def _floor_at(hull, k, y, sign):
    """The last whole pixel not beyond the edge from vertex ``k`` at doubled row ``y``, towards + or - x."""
    y0, x0, y1, x1 = hull[k, 0], sign * hull[k, 1], hull[k + 1, 0], sign * hull[k + 1, 1]
    return (x0 * (y1 - y0) + (x1 - x0) * (y - y0)) // (2 * (y1 - y0))


@kernel
def _longest(hull, n, size_y, size_x):
    """Largest distance of two vertices, in units of the sizes of a pixel."""
    largest = 0.0
    for i in range(n):
        for k in range(i):
            y, x = (hull[i, 0] - hull[k, 0]) * size_y, (hull[i, 1] - hull[k, 1]) * size_x
            largest = max(largest, y * y + x * x)
    return math.sqrt(largest) / 2

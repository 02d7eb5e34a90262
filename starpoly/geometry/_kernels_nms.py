"""Greedy suppression of star-convex polygons: tests of pairs, a grid of several levels, one pass in score order.

The cheapest test that can settles a pair: bounding boxes, circles, a lower bound on the area of the intersection, and last
that area itself. Bounds leave a margin for rounding (``_slack``), so no test contradicts another.
"""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np

from ._kernels import kernel
from ._kernels_overlap import intersection_area, polygon_area

PENDING, KEPT, SUPPRESSED, FREE = 0, 1, 2, 3

# columns of features, in pixels; TOP .. RIGHT are offsets of the bounding box from the centre
AREA, OUTER, INNER, TOP, BOTTOM, LEFT, RIGHT, EXTENT_Y, EXTENT_X, N_FEATURES = range(10)

# level l of the grid holds the polygons of radius up to 4**l (level 0: up to 1), in cells of twice that
N_LEVELS = 16
_ROW_STRIDE, _LEVEL_STRIDE = 5039, 1000003

# ``heads`` and ``links`` chain the polygons of a cell, ``level_heads`` and ``level_links`` those of a level;
# ``size`` (1,) is the number of polygons held, ``boxes`` and ``members`` their bounding boxes and row numbers; ``met`` has room for
# those that one polygon meets
Bins = namedtuple("Bins", "heads links level_heads level_links level_counts level_radii boxes members size met")


@kernel
def describe(distances, sin, cos, out):
    """Fill ``out`` (n, N_FEATURES); returns False if a distance is negative or not finite.

    INNER is the radius of a disc around the centre inside the polygon: no edge is nearer than its straight line.
    EXTENT_Y, EXTENT_X are half the path of the boundary along each axis, for a convex polygon its height and width.
    """
    last = sin.shape[0] - 1
    sin_step = math.sin(2 * math.pi / (last + 1))
    valid = True
    for i in range(distances.shape[0]):
        outer, inner = 0.0, np.inf
        top, bottom, left, right = np.inf, -np.inf, np.inf, -np.inf
        extent_y, extent_x = 0.0, 0.0
        before = np.float64(distances[i, last])
        before_y, before_x = before * sin[last], before * cos[last]
        for k in range(last + 1):
            length = np.float64(distances[i, k])
            valid &= 0 <= length < np.inf
            y, x = length * sin[k], length * cos[k]
            edge_y, edge_x = abs(y - before_y), abs(x - before_x)
            edge = math.sqrt(edge_y * edge_y + edge_x * edge_x)
            inner = min(inner, length * before * sin_step / edge if edge > 0 else 0.0)
            outer = max(outer, length)
            top, bottom, left, right = min(top, y), max(bottom, y), min(left, x), max(right, x)
            extent_y += 0.5 * edge_y
            extent_x += 0.5 * edge_x
            before, before_y, before_x = length, y, x
        out[i, AREA] = polygon_area(distances[i], sin_step)
        out[i, OUTER], out[i, INNER] = outer, inner
        out[i, TOP], out[i, BOTTOM], out[i, LEFT], out[i, RIGHT] = top, bottom, left, right
        out[i, EXTENT_Y], out[i, EXTENT_X] = extent_y, extent_x
    return valid


@kernel
def _slack(smaller, radius):
    """Bound on the rounding of an intersection's area, from the smaller area and the larger outer radius.

    Generous by some powers of ten; the rounding of sums of products of coordinates is of the order of the second term.
    """
    return 1e-9 * smaller + 1e-13 * radius * radius


@kernel
def _common_star(d0, d1, sin_step):
    """Area of the polygon of the smaller distances: it lies in both polygons if they have the same centre."""
    last = d0.shape[0] - 1
    before = np.float64(min(d0[last], d1[last]))
    total = 0.0
    for k in range(last + 1):
        length = np.float64(min(d0[k], d1[k]))
        total += before * length
        before = length
    return 0.5 * sin_step * total


@kernel
def _oriented_box(dy, dx, gap, d0, d1, sin, cos):
    """Area of the box, along and across the line between the centres, that holds the intersection.

    Polygon 0 has its centre at the origin, polygon 1 at (dy, dx), ``gap`` > 0 away.
    """
    uy, ux = dy / gap, dx / gap
    far0, near1, low0, high0, low1, high1 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(sin.shape[0]):
        along, across = uy * sin[k] + ux * cos[k], ux * sin[k] - uy * cos[k]
        far0, near1 = max(far0, d0[k] * along), min(near1, d1[k] * along)
        low0, high0 = min(low0, d0[k] * across), max(high0, d0[k] * across)
        low1, high1 = min(low1, d1[k] * across), max(high1, d1[k] * across)
    return max(far0 - near1 - gap, 0.0) * max(min(high0, high1) - max(low0, low1), 0.0)


@kernel
def _radial_bound(dy, dx, d0, d1, sin, cos, radius1, enough):
    """A lower bound on the intersection's area, summed up no further than ``enough``.

    Polygon 0 has its centre at the origin, polygon 1 at (dy, dx). If all of polygon 1 is seen from the origin, both
    are functions of the angle there. Between two neighbouring vertices of either, both are bounded by straight
    lines, so the triangle of the origin and the nearer of the two boundaries at either end lies in both. Too small
    only where the lines cross. 0 if something of polygon 1, of outer radius ``radius1``, is hidden from the origin.
    """
    n_rays = sin.shape[0]
    # an edge seen too obliquely could not be told from one that is seen from behind
    oblique = 1e-9 * radius1 * radius1
    start = -1
    before_y, before_x = dy + d1[n_rays - 1] * sin[n_rays - 1], dx + d1[n_rays - 1] * cos[n_rays - 1]
    for k in range(n_rays):
        y, x = dy + d1[k] * sin[k], dx + d1[k] * cos[k]
        if not before_x * y - before_y * x > oblique:
            return 0.0
        if before_y <= 0 < y:
            start = k
        before_y, before_x = y, x
    if start < 0:
        return 0.0
    sin_step = sin[1]
    # the edge of polygon 1 that crosses ray 0 ends in vertex j; k is the next ray
    j, k = start, 1
    before = j - 1 if j > 0 else n_rays - 1
    y0, x0 = dy + d1[before] * sin[before], dx + d1[before] * cos[before]
    y1, x1 = dy + d1[j] * sin[j], dx + d1[j] * cos[j]
    edge = x0 * y1 - y0 * x1
    last_y, last_x = 0.0, min(np.float64(d0[0]), edge / (y1 - y0))
    double_area = 0.0
    for _ in range(2 * n_rays):
        if cos[k] * y1 - sin[k] * x1 > 0:
            radius = min(np.float64(d0[k]), edge / (cos[k] * (y1 - y0) - sin[k] * (x1 - x0)))
            y, x = radius * sin[k], radius * cos[k]
            k = k + 1 if k + 1 < n_rays else 0
        else:
            b = k - 1 if k > 0 else n_rays - 1
            length, previous = np.float64(d0[k]), np.float64(d0[b])
            side = previous * length * sin_step
            across = x1 * (length * sin[k] - previous * sin[b]) - y1 * (length * cos[k] - previous * cos[b])
            shrink = side / across if across > side else 1.0
            y, x = shrink * y1, shrink * x1
            j = j + 1 if j + 1 < n_rays else 0
            y0, x0 = y1, x1
            y1, x1 = dy + d1[j] * sin[j], dx + d1[j] * cos[j]
            edge = x0 * y1 - y0 * x1
        double_area += last_x * y - last_y * x
        if double_area > 2 * enough:
            break
        last_y, last_x = y, x
    return 0.5 * double_area


@kernel
def _trim(dy, dx, d1, sin, cos, radius1):
    """Smaller distances of polygon 1, centred at (dy, dx), such that more of it is visible from the origin.

    Where an edge is seen from behind or too obliquely, its longer end is drawn in, all around, once upwards and once
    downwards. The trimmed polygon lies in the original.
    """
    n_rays = sin.shape[0]
    trimmed = d1.copy()
    aim = 1e-6 * radius1 * radius1
    for turn in (1, -1):
        k = 0 if turn > 0 else n_rays - 1
        for _ in range(n_rays + n_rays // 2):
            following = k + turn
            following = (
                following - n_rays if following >= n_rays else following + n_rays if following < 0 else following
            )
            if trimmed[following] > trimmed[k]:
                y, x = dy + trimmed[k] * sin[k], dx + trimmed[k] * cos[k]
                at_centre = turn * (x * dy - y * dx)
                slope = turn * (x * sin[following] - y * cos[following])
                if at_centre + trimmed[following] * slope < aim and slope < 0:
                    trimmed[following] = min(max((at_centre - aim) / -slope, 0.0), np.float64(trimmed[following]))
            k = following
    return trimmed


@kernel
def conflict(i, j, points, distances, features, threshold, sin, cos):
    """Whether the intersection of polygons i and j exceeds ``threshold`` times the smaller area.

    Rounding does not count, so an overlap equal to the threshold never suppresses.
    """
    a, b = features[i], features[j]
    dy = np.float64(points[j, 0]) - np.float64(points[i, 0])
    dx = np.float64(points[j, 1]) - np.float64(points[i, 1])
    smaller = min(a[AREA], b[AREA])
    slack = _slack(smaller, max(a[OUTER], b[OUTER]))
    needed = threshold * smaller

    height = min(a[BOTTOM], dy + b[BOTTOM]) - max(a[TOP], dy + b[TOP])
    width = min(a[RIGHT], dx + b[RIGHT]) - max(a[LEFT], dx + b[LEFT])
    if height <= 0 or width <= 0 or height * width <= needed or threshold >= 1:
        return False
    gap = math.sqrt(dy * dy + dx * dx)
    if gap >= a[OUTER] + b[OUTER]:
        return False
    needed += slack
    enough = needed + slack
    # one inside the other's inscribed disc: the intersection is the smaller polygon
    if gap + min(a[OUTER], b[OUTER]) < max(a[INNER], b[INNER]) and smaller > enough:
        return True
    # moved by (dy, dx), a polygon loses at most half of its edges' sum of |edge x (dy, dx)| of its area to outside
    # of where it was (twice that is a bound on the symmetric difference)
    loss = min(abs(dy) * a[EXTENT_X] + abs(dx) * a[EXTENT_Y], abs(dy) * b[EXTENT_X] + abs(dx) * b[EXTENT_Y])
    d0, d1 = distances[i], distances[j]
    if smaller - loss > enough and _common_star(d0, d1, sin[1]) - loss > enough:
        return True
    # seen from either centre; often an edge is hidden from one and none from the other
    if gap < b[OUTER] and _radial_bound(dy, dx, d0, d1, sin, cos, b[OUTER], enough) > enough:
        return True
    if gap < a[OUTER] and _radial_bound(-dy, -dx, d1, d0, sin, cos, a[OUTER], enough) > enough:
        return True
    if gap < b[OUTER]:
        trimmed = _trim(dy, dx, d1, sin, cos, b[OUTER])
        if _radial_bound(dy, dx, d0, trimmed, sin, cos, b[OUTER], enough) > enough:
            return True
    if gap > 0 and _oriented_box(dy, dx, gap, d0, d1, sin, cos) < needed - slack:
        return False
    return intersection_area(points[i, 0], points[i, 1], d0, points[j, 0], points[j, 1], d1, sin, cos) > needed


@kernel
def surely_conflict(i, j, points, distances, features, threshold, sin, cos):
    """Whether the two cheapest bounds show that polygons i and j conflict; if not, ``conflict`` tells."""
    a, b = features[i], features[j]
    if threshold >= 1:
        return False
    dy = np.float64(points[j, 0]) - np.float64(points[i, 0])
    dx = np.float64(points[j, 1]) - np.float64(points[i, 1])
    smaller = min(a[AREA], b[AREA])
    enough = threshold * smaller + 2 * _slack(smaller, max(a[OUTER], b[OUTER]))
    loss = min(abs(dy) * a[EXTENT_X] + abs(dx) * a[EXTENT_Y], abs(dy) * b[EXTENT_X] + abs(dx) * b[EXTENT_Y])
    if smaller - loss > enough and _common_star(distances[i], distances[j], sin[1]) - loss > enough:
        return True
    gap = math.sqrt(dy * dy + dx * dx)
    return gap + min(a[OUTER], b[OUTER]) < max(a[INNER], b[INNER]) and smaller > enough


@kernel
def make_bins(capacity):
    """An empty grid for up to ``capacity`` polygons."""
    n_heads = 64
    while n_heads < capacity // 4:
        n_heads *= 2
    return Bins(
        np.full(n_heads, -1, np.int32),
        np.empty(capacity, np.int32),
        np.full(N_LEVELS, -1, np.int32),
        np.empty(capacity, np.int32),
        np.zeros(N_LEVELS, np.int64),
        np.zeros(N_LEVELS, np.float64),
        np.empty((capacity, 4), np.float64),
        np.empty(capacity, np.int64),
        np.zeros(1, np.int64),
        np.empty(capacity, np.int64),
    )


@kernel
def _level(radius):
    return min(max((math.frexp(radius)[1] + 1) // 2, 0), N_LEVELS - 1)


@kernel
def _bucket(row, column, level, n_heads):
    """Place of a cell in ``heads``; cells with the same place share a list, which costs time and changes nothing."""
    return (row * _ROW_STRIDE + column + level * _LEVEL_STRIDE) & (n_heads - 1)


@kernel
def insert(bins, i, points, features):
    """Add polygon i to the grid, in the cell of its centre on the level of its radius."""
    node = bins.size[0]
    bins.size[0] += 1
    level = _level(features[i, OUTER])
    cell = 2.0 * 4**level
    y, x = np.float64(points[i, 0]), np.float64(points[i, 1])
    bins.members[node] = i
    bins.boxes[node, 0], bins.boxes[node, 1] = y + features[i, TOP], y + features[i, BOTTOM]
    bins.boxes[node, 2], bins.boxes[node, 3] = x + features[i, LEFT], x + features[i, RIGHT]
    bucket = _bucket(math.floor(y / cell), math.floor(x / cell), level, bins.heads.shape[0])
    bins.links[node], bins.heads[bucket] = bins.heads[bucket], node
    bins.level_links[node], bins.level_heads[level] = bins.level_heads[level], node
    bins.level_counts[level] += 1
    bins.level_radii[level] = max(bins.level_radii[level], features[i, OUTER])


@kernel
def find_conflict(bins, i, tried, points, distances, features, threshold, sin, cos):
    """The row of a polygon in the grid, other than ``tried``, that polygon i conflicts with; -1 if there is none.

    On each level it visits the cells within reach, from that of the centre on, or the list of all polygons of the level if
    that is shorter. It makes only the cheapest tests first: most suppressed polygons overlap one of the grid deeply, and
    finding that one saves the exact tests of the others. (One function: a call with so many arrays takes longer than a
    cell.)
    """
    heads, boxes, met = bins.heads, bins.boxes, bins.met
    y, x = np.float64(points[i, 0]), np.float64(points[i, 1])
    top, bottom = y + features[i, TOP], y + features[i, BOTTOM]
    left, right = x + features[i, LEFT], x + features[i, RIGHT]
    n_met = 0
    per_cell = 2.0
    for level in range(N_LEVELS):
        per_cell *= 0.25
        count = bins.level_counts[level]
        if count == 0:
            continue
        reach = bins.level_radii[level]
        row0, column0 = math.floor((top - reach) * per_cell), math.floor((left - reach) * per_cell)
        n_rows = math.floor((bottom + reach) * per_cell) - row0 + 1
        n_columns = math.floor((right + reach) * per_cell) - column0 + 1
        row, column = math.floor(y * per_cell), math.floor(x * per_cell)
        whole = n_rows * n_columns > count
        if whole:
            n_rows, n_columns = 1, 1
        links = bins.level_links if whole else bins.links
        for _ in range(n_rows):
            for _ in range(n_columns):
                node = bins.level_heads[level] if whole else heads[_bucket(row, column, level, heads.shape[0])]
                while node >= 0:
                    apart_y = boxes[node, 0] >= bottom or top >= boxes[node, 1]
                    apart = apart_y or boxes[node, 2] >= right or left >= boxes[node, 3]
                    if not apart:
                        j = bins.members[node]
                        if j != tried:
                            if surely_conflict(i, j, points, distances, features, threshold, sin, cos):
                                return j
                            # cells that share a list are visited twice, so there may be more than are held
                            if n_met < met.shape[0]:
                                met[n_met] = j
                                n_met += 1
                            elif conflict(i, j, points, distances, features, threshold, sin, cos):
                                return j
                    node = links[node]
                column = column + 1 if column + 1 < column0 + n_columns else column0
            row = row + 1 if row + 1 < row0 + n_rows else row0
    for k in range(n_met):
        if conflict(i, met[k], points, distances, features, threshold, sin, cos):
            return met[k]
    return -1


@kernel
def _cells_per_pixel(points, rows):
    """Cells per pixel, along an axis, of a lattice with about one cell for each of ``rows``."""
    y0, y1, x0, x1 = np.inf, -np.inf, np.inf, -np.inf
    for i in rows:
        y, x = np.float64(points[i, 0]), np.float64(points[i, 1])
        y0, y1, x0, x1 = min(y0, y), max(y1, y), min(x0, x), max(x1, x)
    return math.sqrt(max(rows.shape[0], 1) / ((y1 - y0 + 1) * (x1 - x0 + 1)))


@kernel
def _is_covered(y, x, reach, unseen):
    """Whether the disc of radius ``reach`` meets none of the rectangles ``unseen`` (k, 4) of (y0, x0, y1, x1)."""
    for k in range(unseen.shape[0]):
        dy = max(unseen[k, 0] - y, 0.0, y - unseen[k, 2])
        dx = max(unseen[k, 1] - x, 0.0, x - unseen[k, 3])
        if dy * dy + dx * dx < reach * reach:
            return False
    return True


@kernel
def judge(points, distances, features, rows, judged, state, unseen, max_distance, threshold, sin, cos):
    """One greedy pass: decide what can be decided among ``rows``, which are in score order.

    Only rows with ``judged`` change their ``state``; the others, and rows that stay pending, block worse ones. Suppressed
    rows are skipped. Returns the number of rows decided.
    """
    kept, pending = make_bins(rows.shape[0]), make_bins(rows.shape[0])
    # the polygon that suppressed the last candidate of a cell, or was kept in it, is likely to suppress the next one too
    last = np.full(kept.heads.shape[0] * 4, -1, np.int64)
    per_pixel = _cells_per_pixel(points, rows) if rows.shape[0] else 1.0
    decided = 0
    for k in range(rows.shape[0]):
        i = rows[k]
        y, x = np.float64(points[i, 0]), np.float64(points[i, 1])
        cell = _bucket(math.floor(y * per_pixel), math.floor(x * per_pixel), 0, last.shape[0])
        if judged[k] and state[i] == PENDING:
            # slightly more than the sum of the radii, for rounding
            reach = (features[i, OUTER] + max_distance) * (1 + 1e-9)
            tried = last[cell]
            if tried >= 0 and (
                surely_conflict(i, tried, points, distances, features, threshold, sin, cos)
                or conflict(i, tried, points, distances, features, threshold, sin, cos)
            ):
                by = tried
            else:
                by = find_conflict(kept, i, tried, points, distances, features, threshold, sin, cos)
            if by >= 0:
                state[i] = SUPPRESSED
                last[cell] = by
            elif (
                _is_covered(y, x, reach, unseen)
                and find_conflict(pending, i, np.int64(-1), points, distances, features, threshold, sin, cos) < 0
            ):
                state[i] = KEPT
            decided += state[i] != PENDING
        if state[i] == KEPT:
            last[cell] = i
            insert(kept, i, points, features)
        elif state[i] == PENDING:
            insert(pending, i, points, features)
    return decided


@kernel
def judge_among(points, distances, rows, state, unseen, max_distance, threshold, sin, cos):
    """Decide what can be decided among ``rows``, which are in score order, and write it to ``state``.

    The rows are copied next to each other first, so that no others lie between them in memory. A polygon without area
    becomes FREE. Returns False if a distance is negative or not finite; nothing is decided then.
    """
    n, n_rays = rows.shape[0], sin.shape[0]
    near_points, near_distances = np.empty((n, 2), np.float32), np.empty((n, n_rays), np.float32)
    states, features = np.empty(n, np.uint8), np.empty((n, N_FEATURES), np.float64)
    for k in range(n):
        i = rows[k]
        near_points[k, 0], near_points[k, 1], states[k] = points[i, 0], points[i, 1], state[i]
        for ray in range(n_rays):
            near_distances[k, ray] = distances[i, ray]
    if not describe(near_distances, sin, cos, features):
        return False
    order, n_left = np.empty(n, np.int64), 0
    for k in range(n):
        if not features[k, AREA] > 0:
            states[k] = FREE
        if states[k] != FREE:
            order[n_left] = k
            n_left += 1
    judged = np.ones(n_left, np.bool_)
    judge(
        near_points, near_distances, features, order[:n_left], judged, states, unseen, max_distance, threshold, sin, cos
    )
    for k in range(n):
        # keep what another thread has decided meanwhile
        if states[k] != PENDING:
            state[rows[k]] = states[k]
    return True

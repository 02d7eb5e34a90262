"""Area of a star-convex polygon and of the intersection of two.

Let polygon A be seen from its own centre. Its rays cut the plane into wedges, and inside wedge k the polygon is the
triangle (centre, v_k, v_k+1). The other polygon B is the signed sum of the triangles (centre of A, q_j, q_j+1) over
its edges, whatever the point that they share. So the area of the intersection is a sum over the pieces into which the
wedges cut the edges of B, and in a piece all that is needed is which of two straight lines is nearer to the centre.
Every term is a continuous function of the coordinates: shared edges, shared vertices, identical or degenerate
polygons are no special cases, and there are O(n_rays) pieces.
"""

from __future__ import annotations

import math

import numpy as np

from ._kernels import kernel


@kernel
def polygon_area(distances, sin_step):
    """Area of a polygon with the given ray distances; ``sin_step`` is the sine of the angle between two rays."""
    n_rays = distances.shape[0]
    total = 0.0
    previous = np.float64(distances[n_rays - 1])
    for k in range(n_rays):
        current = np.float64(distances[k])
        total += previous * current
        previous = current
    return 0.5 * sin_step * total


@kernel
def _comes_first(y0, x0, d0, y1, x1, d1):
    """Whether polygon 0 precedes polygon 1 in the order (y, x, distances)."""
    if y0 != y1:
        return y0 < y1
    if x0 != x1:
        return x0 < x1
    for k in range(d0.shape[0]):
        if d0[k] != d1[k]:
            return d0[k] < d1[k]
    return True


@kernel
def _discs_meet(dy, dx, d0, d1):
    """Whether the circumscribed discs of two polygons, whose centres differ by (dy, dx), have a common interior."""
    r0 = 0.0
    r1 = 0.0
    for k in range(d0.shape[0]):
        r0 = max(r0, np.float64(d0[k]))
        r1 = max(r1, np.float64(d1[k]))
    return dy * dy + dx * dx < (r0 + r1) * (r0 + r1)


@kernel
def _find_wedge(y, x, n_rays):
    """Index of the wedge in whose angles a point lies."""
    return int(math.floor(math.atan2(y, x) * (n_rays / (2 * math.pi)))) % n_rays


@kernel
def _in_wedge(y, x, k, sin, cos):
    """Whether a point lies within the angles of wedge ``k``."""
    following = k + 1 if k + 1 < sin.shape[0] else 0
    return (
        cos[k] * y - sin[k] * x >= 0
        and cos[following] * y - sin[following] * x <= 0
        and (cos[k] + cos[following]) * x + (sin[k] + sin[following]) * y > 0
    )


@kernel
def _covered_fraction(y0, x0, y1, x1, k, distances, sin, cos):
    """Part of the triangle (0, p0, p1), within the angles of wedge ``k``, that lies in the polygon's triangle there."""
    following = k + 1 if k + 1 < sin.shape[0] else 0
    ay, ax = distances[k] * sin[k], distances[k] * cos[k]
    by, bx = distances[following] * sin[following], distances[following] * cos[following]
    double_area = ax * by - ay * bx
    if not double_area > 0:
        return 0.0
    # how far inside the chord a -> b the points lie, in units in which the centre lies double_area inside
    inside0 = (bx - ax) * (y0 - ay) - (by - ay) * (x0 - ax)
    inside1 = (bx - ax) * (y1 - ay) - (by - ay) * (x1 - ax)
    # a point beyond the chord is drawn back to it, towards the centre, by these factors
    shrink0 = 1.0 if inside0 >= 0 else double_area / (double_area - inside0)
    shrink1 = 1.0 if inside1 >= 0 else double_area / (double_area - inside1)
    if (inside0 >= 0) == (inside1 >= 0):
        return shrink0 * shrink1
    crossing = inside0 / (inside0 - inside1)
    return crossing * shrink0 + (1 - crossing) * shrink1


@kernel
def _covered_edge(y0, x0, y1, x1, wedge, distances, sin, cos):
    """Part of the triangle (0, p0, p1) that lies in the polygon around 0, and the wedge of p1; p0 lies in ``wedge``."""
    n_rays = sin.shape[0]
    turn = 1 if x0 * y1 - y0 * x1 > 0 else -1
    total = 0.0
    start, start_y, start_x = 0.0, y0, x0
    for _ in range(n_rays):
        border = wedge if turn < 0 else (wedge + 1 if wedge + 1 < n_rays else 0)
        beyond = turn * (cos[border] * y1 - sin[border] * x1)
        if not beyond > 0:
            break
        before = max(-turn * (cos[border] * y0 - sin[border] * x0), 0.0)
        stop = max(before / (before + beyond), start)
        stop_y, stop_x = y0 + stop * (y1 - y0), x0 + stop * (x1 - x0)
        total += (stop - start) * _covered_fraction(start_y, start_x, stop_y, stop_x, wedge, distances, sin, cos)
        start, start_y, start_x = stop, stop_y, stop_x
        wedge += turn
        if wedge < 0:
            wedge = n_rays - 1
        elif wedge == n_rays:
            wedge = 0
    total += (1 - start) * _covered_fraction(start_y, start_x, y1, x1, wedge, distances, sin, cos)
    return total, wedge


@kernel
def intersection_area(y0, x0, d0, y1, x1, d1, sin, cos):
    """Area of the intersection of two star-convex polygons.

    ``(y, x)`` are the centres, ``d0`` and ``d1`` (n_rays,) the distances, finite and >= 0; ``sin`` and ``cos``
    (n_rays,) float64 as from ``ray_directions``. Swapping the polygons gives the same bits. Relative to the smaller
    polygon's area the error is of the order of 1e-15 times the ratio of the areas.
    """
    if not _comes_first(y0, x0, d0, y1, x1, d1):
        y0, x0, d0, y1, x1, d1 = y1, x1, d1, y0, x0, d0
    dy, dx = np.float64(y1) - np.float64(y0), np.float64(x1) - np.float64(x0)
    if not _discs_meet(dy, dx, d0, d1):
        return 0.0
    last = sin.shape[0] - 1
    y, x = dy + d1[last] * sin[last], dx + d1[last] * cos[last]
    wedge = _find_wedge(y, x, last + 1)
    double_area = 0.0
    for k in range(last + 1):
        next_y, next_x = dy + d1[k] * sin[k], dx + d1[k] * cos[k]
        cross = x * next_y - y * next_x
        if cross != 0:
            fraction, wedge = _covered_edge(y, x, next_y, next_x, wedge, d0, sin, cos)
            double_area += cross * fraction
        if not _in_wedge(next_y, next_x, wedge, sin, cos):
            # an edge through the centre, or one that points to it
            wedge = _find_wedge(next_y, next_x, last + 1)
        y, x = next_y, next_x
    return max(0.5 * double_area, 0.0)


@kernel
def fill_areas(distances, sin_step, out):
    """Areas of many polygons, ``distances`` (n, n_rays)."""
    for i in range(out.shape[0]):
        out[i] = polygon_area(distances[i], sin_step)


@kernel
def fill_intersections(points0, distances0, points1, distances1, sin, cos, out):
    """Intersection areas of the pairs (i, i); a set of one polygon is paired with all of the other set."""
    for k in range(out.shape[0]):
        i = k if points0.shape[0] > 1 else 0
        j = k if points1.shape[0] > 1 else 0
        out[k] = intersection_area(
            points0[i, 0], points0[i, 1], distances0[i], points1[j, 0], points1[j, 1], distances1[j], sin, cos
        )

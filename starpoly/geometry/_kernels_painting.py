"""Shapes painted into label images: star-shaped outlines, limbs of varying width, cells around seeds, pasted masks."""

from __future__ import annotations

import math

import numpy as np

from ._kernels import bilinear, kernel

_TAU = 2 * math.pi


@kernel
def _star_reaches(dy, dx, radii, shortest, longest, more):
    """Whether a star-shaped outline, widened by ``more``, reaches the offset (dy, dx) from its centre."""
    far = math.sqrt(dy * dy + dx * dx) - more
    if far <= shortest:
        return True
    if far > longest:
        return False
    n = radii.shape[0]
    at = math.atan2(dy, dx) / _TAU * n
    if at < 0:
        at += n
    k = int(at)
    part = at - k
    return far <= (1 - part) * radii[k % n] + part * radii[(k + 1) % n]


@kernel
def stars(labels, centres, radii, ids, most_shared, gap, painted):
    """Paint star-shaped objects where ``labels`` is 0, one after the other.

    An object that would lose more than the share ``most_shared`` of its pixels, or that comes nearer than ``gap`` to another
    one's, is left out; ``painted`` (n,) says which ones were not.
    """
    height, width = labels.shape
    for i in range(centres.shape[0]):
        cy, cx = centres[i]
        shortest, longest = radii[i].min(), radii[i].max()
        reach = longest + gap + 1
        y0, y1 = max(0, int(cy - reach)), min(height, int(cy + reach) + 2)
        x0, x1 = max(0, int(cx - reach)), min(width, int(cx + reach) + 2)
        inside, taken = 0, 0
        for y in range(y0, y1):
            for x in range(x0, x1):
                if _star_reaches(y - cy, x - cx, radii[i], shortest, longest, gap):
                    inside += 1
                    taken += labels[y, x] != 0
        if inside == 0 or taken > most_shared * inside:
            continue
        painted[i] = True
        for y in range(y0, y1):
            for x in range(x0, x1):
                if labels[y, x] == 0 and _star_reaches(y - cy, x - cx, radii[i], shortest, longest, 0.0):
                    labels[y, x] = ids[i]


@kernel
def _limb_reaches(y, x, points, widths, more):
    """Whether a limb through ``points`` (p, 2), as wide as ``widths`` (p,) there, widened by ``more``, reaches (y, x)."""
    for k in range(points.shape[0] - 1):
        ay, ax = points[k]
        by, bx = points[k + 1, 0] - ay, points[k + 1, 1] - ax
        square = by * by + bx * bx
        part = 0.0
        if square > 0:
            part = min(1.0, max(0.0, ((y - ay) * by + (x - ax) * bx) / square))
        radius = (1 - part) * widths[k] + part * widths[k + 1] + more
        dy, dx = y - ay - part * by, x - ax - part * bx
        if dy * dy + dx * dx <= radius * radius:
            return True
    return False


@kernel
def limbs(labels, points, widths, ids, most_shared, gap, painted):
    """As ``stars``, for limbs through ``points`` (n, p, 2) with the half widths ``widths`` (n, p)."""
    height, width = labels.shape
    for i in range(points.shape[0]):
        reach = widths[i].max() + gap + 1
        y0, y1 = max(0, int(points[i, :, 0].min() - reach)), min(height, int(points[i, :, 0].max() + reach) + 2)
        x0, x1 = max(0, int(points[i, :, 1].min() - reach)), min(width, int(points[i, :, 1].max() + reach) + 2)
        inside, taken = 0, 0
        for y in range(y0, y1):
            for x in range(x0, x1):
                if _limb_reaches(y, x, points[i], widths[i], gap):
                    inside += 1
                    taken += labels[y, x] != 0 and labels[y, x] != ids[i]
        if inside == 0 or taken > most_shared * inside:
            continue
        painted[i] = True
        for y in range(y0, y1):
            for x in range(x0, x1):
                if labels[y, x] == 0 and _limb_reaches(y, x, points[i], widths[i], 0.0):
                    labels[y, x] = ids[i]


@kernel
def nearest_seeds(ys, xs, seeds, ids, first, n_cells, origin, per_side, owner, border):
    """Owner of each place ``ys, xs`` (Y, X) among ``seeds`` (m, 3), and its distance from the border to the next cell.

    A seed's y, x relative to ``origin`` and weight stand in a row; the owner has the least squared distance less its weight.
    Seeds are listed by the square cell that holds them, ``first`` (cells + 1,) is where those of a cell begin, ``per_side`` one over
    the side of a cell; nine cells are searched. ``owner`` is -1 where they hold none.
    """
    ny, nx = n_cells
    for p in range(ys.shape[0]):
        for q in range(ys.shape[1]):
            y, x = ys[p, q] - origin[0], xs[p, q] - origin[1]
            i, j = int(y * per_side), int(x * per_side)
            left, right = max(0, j - 1), min(nx, j + 2)
            best, second, a, b = np.float32(1e30), np.float32(1e30), -1, -1
            for row in range(max(0, i - 1), min(ny, i + 2)):
                for k in range(first[row * nx + left], first[row * nx + right]):
                    dy, dx = y - seeds[k, 0], x - seeds[k, 1]
                    far = dy * dy + dx * dx - seeds[k, 2]
                    if far < second:
                        if far < best:
                            best, second, a, b = far, best, k, a
                        else:
                            second, b = far, k
            owner[p, q] = ids[a] if a >= 0 else -1
            border[p, q] = 1e6
            if b >= 0:
                dy, dx = seeds[a, 0] - seeds[b, 0], seeds[a, 1] - seeds[b, 1]
                border[p, q] = (second - best) / (2 * max(math.sqrt(dy * dy + dx * dx), np.float32(1e-6)))


@kernel
def _mask_reaches(mask, i, j):
    """Whether a mask (h, w) from 0 to 1, interpolated at (i, j), is at least one half."""
    h, w = mask.shape
    top, left = int(math.floor(i)), int(math.floor(j))
    if top < 0 or left < 0 or top >= h - 1 or left >= w - 1:
        return False
    down, right = np.float32(i - top), np.float32(j - left)
    return (
        bilinear(mask[top, left], mask[top, left + 1], mask[top + 1, left], mask[top + 1, left + 1], down, right) >= 0.5
    )


@kernel
def paste(labels, mask, centre, matrix, value, most_shared, gap):
    """Paint a mask (h, w) from 0 to 1 where ``labels`` is 0; ``matrix`` (2, 2) maps offsets from ``centre`` to offsets in the mask.

    Returns whether it was painted: not if it would lose more than the share ``most_shared``, or comes nearer than ``gap`` pixels.
    """
    height, width = labels.shape
    middle_y, middle_x = (mask.shape[0] - 1) / 2, (mask.shape[1] - 1) / 2
    # the corners of the mask, mapped back, bound it
    det = abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])
    reach_y = (abs(matrix[1, 1]) * middle_y + abs(matrix[0, 1]) * middle_x) / det + 1
    reach_x = (abs(matrix[1, 0]) * middle_y + abs(matrix[0, 0]) * middle_x) / det + 1
    y0, y1 = max(0, int(centre[0] - reach_y)), min(height, int(centre[0] + reach_y) + 2)
    x0, x1 = max(0, int(centre[1] - reach_x)), min(width, int(centre[1] + reach_x) + 2)
    inside, taken = 0, 0
    for turn in range(2):
        for y in range(y0, y1):
            for x in range(x0, x1):
                dy, dx = y - centre[0], x - centre[1]
                i, j = (
                    matrix[0, 0] * dy + matrix[0, 1] * dx + middle_y,
                    matrix[1, 0] * dy + matrix[1, 1] * dx + middle_x,
                )
                if not _mask_reaches(mask, i, j):
                    continue
                if turn == 0:
                    inside += 1
                    taken += labels[y, x] != 0
                    if gap > 0:
                        for near in range(max(0, y - gap), min(height, y + gap + 1)):
                            taken += labels[near, x] != 0
                        for near in range(max(0, x - gap), min(width, x + gap + 1)):
                            taken += labels[y, near] != 0
                elif labels[y, x] == 0:
                    labels[y, x] = value
        if inside == 0 or taken > most_shared * inside:
            return False
    return True


@kernel
def _root(parents, at):
    while parents[at] != at:
        parents[at] = parents[parents[at]]
        at = parents[at]
    return at


@kernel
def keep_pieces(labels, least, every):
    """Keep the largest 8-connected piece of each label, or every piece, if it has ``least`` pixels; number them from 1, in place.

    Returns their number.
    """
    height, width = labels.shape
    flat = labels.reshape(-1)
    parents = np.arange(height * width, dtype=np.int32)
    for y in range(height):
        for x in range(width):
            at = y * width + x
            value = flat[at]
            if value <= 0:
                continue
            if x > 0 and flat[at - 1] == value:
                parents[at] = _root(parents, at - 1)
            if y > 0:
                for k in range(max(0, x - 1), min(width, x + 2)):
                    above = at - width + k - x
                    if flat[above] == value:
                        a, b = _root(parents, above), _root(parents, at)
                        parents[max(a, b)] = min(a, b)
    sizes = np.zeros(height * width, np.int32)
    highest = 0
    for at in range(height * width):
        if flat[at] > 0:
            parents[at] = _root(parents, at)
            sizes[parents[at]] += 1
            highest = max(highest, flat[at])
    chosen = np.full(highest + 1, -1, np.int32)
    numbers = np.zeros(height * width, np.int32)
    n = 0
    for at in range(height * width):
        value = flat[at]
        if value > 0 and parents[at] == at and sizes[at] >= least:
            if every:
                n += 1
                numbers[at] = n
            elif chosen[value] < 0 or sizes[at] > sizes[chosen[value]]:
                chosen[value] = at
    for value in range(1, highest + 1):
        if chosen[value] >= 0:
            n += 1
            numbers[chosen[value]] = n
    for at in range(height * width):
        if flat[at] > 0:
            flat[at] = numbers[parents[at]]
    return n


@kernel
def signed_distances(labels, out, near):
    """Fill ``out`` with the distance from the outline, positive in objects, negative outside, and ``near`` with the object.

    Steps along rows, columns and diagonals are summed up (a chamfer distance). In an object the outline is that to any other label;
    the image's border is none. ``near`` is the object itself, or the nearest one; 0 where there is none.
    """
    height, width = labels.shape
    far, side, slant = np.float32(1e4), np.float32(1.0), np.float32(math.sqrt(2))
    for y in range(height):
        for x in range(width):
            out[y, x] = far
            near[y, x] = max(labels[y, x], 0)
    for sweep in range(2):
        for i in range(height):
            y = height - 1 - i if sweep else i
            for j in range(width):
                x = width - 1 - j if sweep else j
                value, best, owner = labels[y, x], out[y, x], near[y, x]
                for k in range(4):
                    # left, and the three above; on the way back right, and the three below
                    ny, nx = (y, x - 1) if k == 0 else (y - 1, x - 2 + k)
                    if sweep:
                        ny, nx = 2 * y - ny, 2 * x - nx
                    if ny < 0 or nx < 0 or ny >= height or nx >= width:
                        continue
                    step = slant if k == 1 or k == 3 else side
                    other = labels[ny, nx]
                    if other == value:
                        way = out[ny, nx] + step
                    elif value > 0 or other > 0:
                        way = np.float32(0.5) * step
                    else:
                        continue
                    if way < best:
                        best = way
                        if value <= 0:
                            owner = other if other > 0 else near[ny, nx]
                out[y, x], near[y, x] = best, owner
                # an outline found later counts for what lies before it on the second sweep only
    for y in range(height):
        for x in range(width):
            if labels[y, x] <= 0:
                out[y, x] = -out[y, x]

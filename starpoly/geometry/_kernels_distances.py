"""Ray distances of a label image: step along each ray until the label changes, many neighbouring pixels at a time."""

from __future__ import annotations

import numpy as np

from ._kernels import kernel

#: pixels of a row that go along a ray together: a few vectors of the processor
LANES = 64


@kernel
def clearance(labels, out):
    """Chessboard distance of each pixel to the nearest pixel of another label or outside the image.

    Two sweeps of a chamfer transform: 1 at pixels with a differing neighbour, else 1 + the least of the neighbours'.
    """
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            if y == 0 or x == 0 or y == height - 1 or x == width - 1:
                out[y, x] = 1
                continue
            value = labels[y, x]
            same = (
                (labels[y - 1, x - 1] == value)
                & (labels[y - 1, x] == value)
                & (labels[y - 1, x + 1] == value)
                & (labels[y, x - 1] == value)
                & (labels[y, x + 1] == value)
                & (labels[y + 1, x - 1] == value)
                & (labels[y + 1, x] == value)
                & (labels[y + 1, x + 1] == value)
            )
            if same:
                before = min(out[y - 1, x - 1], out[y - 1, x], out[y - 1, x + 1], out[y, x - 1])
                out[y, x] = before + 1
            else:
                out[y, x] = 1
    for y in range(height - 2, 0, -1):
        for x in range(width - 2, 0, -1):
            if out[y, x] > 1:
                after = min(out[y + 1, x - 1], out[y + 1, x], out[y + 1, x + 1], out[y, x + 1])
                out[y, x] = min(out[y, x], after + 1)


@kernel
def _go_together(planes, start, values, steps, first, stop, offsets):
    """Advance ``steps`` of neighbouring pixels while each still meets its own value; False if all have ended.

    ``steps`` (LANES,) holds ``first`` where there is an object and -1 elsewhere. A pixel whose ray has ended stays where
    it is, as its number of steps is no longer that of the others; what is read for it then counts for nothing.
    """
    for step in range(first, stop):
        at = start + offsets[step]
        there = planes[at : at + LANES]
        now = np.int32(step)
        n_inside = np.int32(0)
        # 32 bits throughout: twice as many at a time as with 64
        for lane in range(LANES):
            inside = np.int32((steps[lane] == now) & (there[lane] == values[lane]))
            steps[lane] = np.int32(steps[lane] + inside)
            n_inside = np.int32(n_inside + inside)
        if n_inside == 0:
            return False
    return True


@kernel
def _go_rounded(labels, clear, start, value, y, x, step, path_y, path_x, width):
    """The step that leaves the object, from ``step`` on, where the pixel reached depends on (y, x).

    The sums are rounded to float32 and then half to even, so a step may move the nearest pixel by two.
    """
    while True:
        dy = int(np.rint(np.float32(y + path_y[step]))) - int(y)
        dx = int(np.rint(np.float32(x + path_x[step]))) - int(x)
        pixel = start + dy * width + dx
        if labels[pixel] != value:
            return step
        step += max(clear[pixel] - 1, 1)


@kernel
def ray_distances(
    planes, labels, clear, margin, grid_y, grid_x, path_y, path_x, offsets, n_clean, lengths, first_row, last_row, out
):
    """Fill the rows ``first_row .. last_row - 1`` of ``out`` (h, w, n_rays).

    ``labels`` is the image in a margin of background of at least two pixels, ``clear`` its clearance. ``planes`` holds the
    same pixels, flat, every ``grid_x``-th column together, so that the pixels of a row that are evaluated lie side by
    side; its first ``LANES`` values, and its last, are spare. ``path_y``, ``path_x`` (n_rays, n_steps) hold the way gone
    after each step of a ray, ``lengths`` the distance if the object ends there. In the first ``n_clean`` (n_rays,) steps
    the pixels reached are the same from everywhere: ``offsets`` (n_rays, n_steps) in ``planes``.
    """
    n_columns, n_rays = out.shape[1], out.shape[2]
    height, width = labels.shape
    plane_width = (width + grid_x - 1) // grid_x
    flat, flat_clear = labels.ravel(), clear.ravel()
    values, begin, steps = np.empty(LANES, labels.dtype), np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    found = np.empty((n_rays, LANES), np.float32)
    for i in range(first_row, last_row):
        y = i * grid_y
        for j in range(0, n_columns, LANES):
            n = min(LANES, n_columns - j)
            nearest = height + width
            for lane in range(LANES):
                values[lane], begin[lane] = 0, -1
            for lane in range(n):
                x = (j + lane) * grid_x + margin
                if labels[y + margin, x] > 0:
                    values[lane] = labels[y + margin, x]
                    nearest = min(nearest, clear[y + margin, x])
            if nearest == height + width:
                out[i, j : j + n] = 0
                continue
            # within clear - 1 pixels of a pixel the label is constant, and a step moves the nearest pixel by at most one
            first = nearest - 1
            for lane in range(n):
                if values[lane] > 0:
                    begin[lane] = first
            start = LANES + (y + margin) * plane_width + j
            for k in range(n_rays):
                for lane in range(LANES):
                    steps[lane] = begin[lane]
                if _go_together(planes, start, values, steps, first, n_clean[k], offsets[k]):
                    for lane in range(n):
                        if values[lane] > 0 and steps[lane] >= n_clean[k]:
                            x = (j + lane) * grid_x
                            pixel = (y + margin) * width + x + margin
                            steps[lane] = _go_rounded(
                                flat, flat_clear, pixel, values[lane], np.float32(y), np.float32(x), steps[lane],
                                path_y[k], path_x[k], width,
                            )  # fmt: skip
                table = lengths[k]
                for lane in range(LANES):
                    found[k, lane] = table[max(steps[lane], 0)]
            for lane in range(n):
                line, inside = out[i, j + lane], values[lane] > 0
                for k in range(n_rays):
                    line[k] = found[k, lane] if inside else 0

"""Ray distances of a label image: march along each ray until the label changes."""

from __future__ import annotations

import numba
import numpy as np

from ._kernels import kernel


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
def _steps_inside(labels, clear, start, value, offsets, n_steps):
    """Index of the first step that ends in a pixel not labelled ``value``, or -1 if not among the first ``n_steps``.

    ``offsets`` are those of the steps' pixels. Within ``clear - 1`` pixels of a pixel the label is constant, and a
    step moves the nearest pixel by at most one.
    """
    step = clear[start] - 1
    while step < n_steps:
        pixel = start + offsets[step]
        if labels[pixel] != value:
            return step
        step += clear[pixel]
    return -1


@kernel
def _steps_inside_rounded(labels, clear, start, value, y, x, path_y, path_x, width):
    """As ``_steps_inside`` where a ray comes so near the middle between two pixels that the pixel depends on (y, x).

    The sums are rounded to float32 and then half to even, so a step may move the nearest pixel by two.
    """
    step = max(clear[start] - 2, 0)
    while True:
        dy = int(np.rint(np.float32(y + path_y[step]))) - int(y)
        dx = int(np.rint(np.float32(x + path_x[step]))) - int(x)
        pixel = start + dy * width + dx
        if labels[pixel] != value:
            return step
        step += max(clear[pixel] - 1, 1)


def _ray_distances(labels, clear, margin, grid_y, grid_x, path_y, path_x, offsets, n_clean, lengths, out):
    """Fill ``out`` (h, w, n_rays) from labels in a margin of two pixels of background.

    ``path_y``, ``path_x`` (n_rays, n_steps) hold the way gone after each step of a ray, ``lengths`` the distance if
    the object ends there. In the first ``n_clean`` (n_rays,) steps the pixels reached are the same from everywhere:
    ``offsets`` in the flat array.
    """
    width = labels.shape[1]
    labels, clear = labels.ravel(), clear.ravel()
    for i in numba.prange(out.shape[0]):
        y = np.float32(i * grid_y)
        for j in range(out.shape[1]):
            x = np.float32(j * grid_x)
            start = (i * grid_y + margin) * width + j * grid_x + margin
            value = labels[start]
            for k in range(out.shape[2]):
                if value <= 0:
                    out[i, j, k] = 0
                    continue
                end = _steps_inside(labels, clear, start, value, offsets[k], n_clean[k])
                if end < 0:
                    end = _steps_inside_rounded(labels, clear, start, value, y, x, path_y[k], path_x[k], width)
                out[i, j, k] = lengths[k, end]


ray_distances_serial = kernel(_ray_distances)
ray_distances_parallel = kernel(_ray_distances, parallel=True)

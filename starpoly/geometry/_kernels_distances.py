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


def _ray_distances(labels, clear, grid_y, grid_x, path_y, path_x, lengths, out):
    """Fill ``out`` (h, w, n_rays); ``path_y``, ``path_x`` (n_rays, n_steps) are the offsets after each step of a ray.

    Within ``clear - 1`` pixels of a pixel the label is constant, and a step moves the nearest pixel by at most one,
    or by two once where a tie is rounded to even; so after a look at a pixel ``clear - 1`` steps need no look.
    """
    height, width = labels.shape
    n_rays = path_y.shape[0]
    for i in numba.prange(out.shape[0]):
        y = i * grid_y
        fy = np.float32(y)
        for j in range(out.shape[1]):
            x = j * grid_x
            fx = np.float32(x)
            value = labels[y, x]
            if value <= 0:
                out[i, j] = 0
                continue
            first = max(clear[y, x] - 2, 0)
            for k in range(n_rays):
                step = first
                while True:
                    # float32 sums, rounded half to even, as in the definition
                    row = int(np.rint(np.float32(fy + path_y[k, step])))
                    column = int(np.rint(np.float32(fx + path_x[k, step])))
                    if row < 0 or row >= height or column < 0 or column >= width or labels[row, column] != value:
                        break
                    step += max(clear[row, column] - 1, 1)
                out[i, j, k] = lengths[k, step]


ray_distances_serial = kernel(_ray_distances)
ray_distances_parallel = kernel(_ray_distances, parallel=True)

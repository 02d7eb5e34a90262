"""Foreground and weights of pixels near its boundary, by cells of the grid."""

from __future__ import annotations

import numpy as np

from ._kernels import kernel


@kernel
def _count_column_by_column(labels, y, reach, sign, counts):
    """Add ``sign`` to the counts of columns whose pixel in row ``y`` lies in an object, if there is such a row.

    ``counts`` has ``reach`` columns more on either side. Returns the number of rows.
    """
    if not 0 <= y < labels.shape[0]:
        return 0
    row = labels[y]
    for x in range(labels.shape[1]):
        counts[x + reach] += np.int32(sign) * np.int32(row[x] > 0)
    return 1


@kernel
def foreground_cells(labels, grid_y, grid_x, reach, near, out):
    """Fill ``out`` (h, w, 2 grid_y grid_x): whether each pixel of a cell lies in an object, and its weight.

    The weight is ``near`` where the window of ``reach`` pixels to each side holds foreground and background, else 1; 0 where
    the label is negative, and beyond the image.
    """
    height, width = labels.shape
    n_pixels = grid_y * grid_x
    # pixels of each column, in the rows of the window, that lie in an object
    counts = np.zeros(width + 2 * reach, np.int32)
    # pixels of a row of the window that lie in the image
    across = np.zeros(width, np.int32)
    for x in range(width):
        across[x] = min(x + reach, width - 1) - max(x - reach, 0) + 1
    weight = np.zeros((grid_y, out.shape[1] * grid_x), np.float32)
    inside = np.zeros((grid_y, out.shape[1] * grid_x), np.float32)
    total = np.zeros(width, np.int32)
    n_rows = 0
    for y in range(-reach, 0):
        n_rows += _count_column_by_column(labels, y + reach, reach, 1, counts)
    for i in range(out.shape[0]):
        for down in range(grid_y):
            y = i * grid_y + down
            if y >= height:
                inside[down], weight[down] = 0, 0
                continue
            n_rows += _count_column_by_column(labels, y + reach, reach, 1, counts)
            n_rows -= _count_column_by_column(labels, y - reach - 1, reach, -1, counts)
            row, line, marks = labels[y], weight[down], inside[down]
            limit = np.int32(n_rows)
            total[:] = 0
            for step in range(2 * reach + 1):
                shifted = counts[step : step + width]
                for x in range(width):
                    total[x] += shifted[x]
            for x in range(width):
                mixed = (total[x] > 0) & (total[x] < np.int32(limit * across[x]))
                marks[x] = np.float32(row[x] > 0)
                line[x] = np.float32(0) if row[x] < 0 else near if mixed else np.float32(1)
        for down in range(grid_y):
            for right in range(grid_x):
                pixel = down * grid_x + right
                for j in range(out.shape[1]):
                    out[i, j, pixel] = inside[down, j * grid_x + right]
                    out[i, j, n_pixels + pixel] = weight[down, j * grid_x + right]


@kernel
def areas(labels, out):
    """Add the number of pixels of each label above 0 to ``out`` (max label + 1,)."""
    for y in range(labels.shape[0]):
        row = labels[y]
        value, first = row[0], 0
        for x in range(1, labels.shape[1]):
            if row[x] != value:
                if value > 0:
                    out[value] += x - first
                value, first = row[x], x
        if value > 0:
            out[value] += labels.shape[1] - first

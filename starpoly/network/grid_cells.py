"""Convert between pixels and grid cells: each grid point holds the pixels of its cell as channels, row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def to_cells(pixels: NDArray, grid: tuple[int, int]) -> NDArray:
    """An image (Y, X) as grid cells (h, w, grid_y * grid_x); pixels beyond the image are 0."""
    beyond = [(0, -length % step) for length, step in zip(pixels.shape, grid, strict=True)]
    padded = np.pad(pixels, beyond)
    (height, width), (down, right) = padded.shape, grid
    split = padded.reshape(height // down, down, width // right, right)
    return np.ascontiguousarray(split.transpose(0, 2, 1, 3)).reshape(height // down, width // right, down * right)


def to_pixels(cells: NDArray, grid: tuple[int, int]) -> NDArray:
    """Grid cells (h, w, grid_y * grid_x) as pixels (h * grid_y, w * grid_x)."""
    rows, columns = cells.shape[:2]
    split = cells.reshape(rows, columns, *grid)
    pixels = np.empty((rows, grid[0], columns, grid[1]), cells.dtype)
    for down in range(grid[0]):  # strided row copies: several times faster than one transposition
        for right in range(grid[1]):
            pixels[:, down, :, right] = split[:, :, down, right]
    return pixels.reshape(rows * grid[0], columns * grid[1])

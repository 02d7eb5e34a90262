"""What a network is to the pipeline, and its answer on the grid, put together from tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..tiling import Tile


class Output(Protocol):
    """What a network says about a batch; see :class:`Network`."""

    @property
    def probability(self) -> NDArray[np.float32]: ...
    @property
    def distances(self) -> NDArray[np.float32]: ...
    @property
    def classes(self) -> NDArray[np.float32] | None: ...
    @property
    def foreground(self) -> NDArray[np.float32] | None: ...


class Network(Protocol):
    """A network as the pipeline sees it: what it needs to read, and a call.

    ``stride`` is its total stride, ``grid`` the step of its answers, ``halo`` the radius of its
    receptive field, all (y, x) in pixels; ``max_distance`` bounds its distances; ``ray_context`` says
    where along the rays they are estimated again; ``has_foreground`` whether outlines are to be refined by the
    foreground; ``tile_size`` is the side of its windows where nobody says otherwise. Called with float32
    (batch, height, width, n_channels), it returns ``probability`` (batch, h, w), ``distances``
    (batch, h, w, n_rays), ``classes`` (batch, h, w, n_classes + 1) or None, and ``foreground``
    (batch, h, w, grid_y * grid_x) or None.
    """

    stride: tuple[int, int]
    grid: tuple[int, int]
    halo: tuple[int, int]
    max_distance: float
    n_rays: int
    n_classes: int
    ray_context: tuple[float, ...]
    has_foreground: bool
    tile_size: int

    def __call__(self, batch: NDArray[np.float32]) -> Output: ...


@dataclass(frozen=True)
class Maps:
    """A network's answer for one image or window, on the grid.

    ``probability`` is (h, w), ``distances`` (h, w, n_rays) in full-resolution pixels, ``classes``
    (h, w, n_classes + 1) or None, ``foreground`` (h, w, grid_y * grid_x), the pixels of each grid cell row by row,
    or None; with ``h = ceil(Y / grid_y)`` and ``w = ceil(X / grid_x)``.
    """

    probability: NDArray[np.float32]
    distances: NDArray[np.float32]
    classes: NDArray[np.float32] | None
    foreground: NDArray[np.float32] | None = None

    @classmethod
    def empty(cls, shape: tuple[int, int], network: Network) -> Maps:
        """Maps to be filled, for an area of ``shape`` pixels."""
        rows, columns = (-(-length // step) for length, step in zip(shape, network.grid, strict=True))
        return cls(
            np.empty((rows, columns), np.float32),
            np.empty((rows, columns, network.n_rays), np.float32),
            np.empty((rows, columns, network.n_classes + 1), np.float32) if network.n_classes else None,
            np.empty((rows, columns, network.grid[0] * network.grid[1]), np.float32)
            if network.has_foreground
            else None,
        )

    @classmethod
    def of_one(cls, output: Output) -> Maps:
        """The answer for a batch of one window."""
        classes = None if output.classes is None else output.classes[0]
        foreground = None if output.foreground is None else output.foreground[0]
        return cls(output.probability[0], output.distances[0], classes, foreground)

    def put(self, maps: Maps, inside: tuple[slice, slice], place: tuple[slice, slice]) -> None:
        """Copy the part ``inside`` of the answer for a window to its ``place`` here."""
        self.probability[place] = maps.probability[inside]
        self.distances[place] = maps.distances[inside]
        if self.classes is not None and maps.classes is not None:
            self.classes[place] = maps.classes[inside]
        if self.foreground is not None and maps.foreground is not None:
            self.foreground[place] = maps.foreground[inside]

    def foreground_pixels(self, grid: tuple[int, int]) -> NDArray[np.float32] | None:
        """The foreground of every pixel, (h * grid_y, w * grid_x), or None."""
        if self.foreground is None:
            return None
        rows, columns = self.foreground.shape[:2]
        cells, pixels = (
            self.foreground.reshape(rows, columns, *grid),
            np.empty((rows, grid[0], columns, grid[1]), np.float32),
        )
        for down in range(grid[0]):  # long stretches at a time: several times as fast as one transposition
            for right in range(grid[1]):
                pixels[:, down, :, right] = cells[:, :, down, right]
        return pixels.reshape(rows * grid[0], columns * grid[1])


def core_on_grid(tile: Tile, grid: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Grid points of a tile's core: as slices of the tile's answer, and of the whole image's grid."""
    core, read = tile.core, tile.read
    place = tuple(
        slice(-(-start // step), -(-stop // step))
        for start, stop, step in zip((core.y0, core.x0), (core.y1, core.x1), grid, strict=True)
    )
    inside = tuple(
        slice(there.start - origin // step, there.stop - origin // step)
        for there, origin, step in zip(place, (read.y0, read.x0), grid, strict=True)
    )
    return (inside[0], inside[1]), (place[0], place[1])


def cells(pixels: NDArray, grid: tuple[int, int]) -> NDArray:
    """An image (Y, X) as grid cells (h, w, grid_y * grid_x), the pixels of a cell row by row; what lacks is 0."""
    short = [(0, -length % step) for length, step in zip(pixels.shape, grid, strict=True)]
    padded = np.pad(pixels, short)
    (height, width), (down, right) = padded.shape, grid
    split = padded.reshape(height // down, down, width // right, right)
    return np.ascontiguousarray(split.transpose(0, 2, 1, 3)).reshape(height // down, width // right, down * right)

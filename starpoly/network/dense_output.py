"""Dense output of a network on its grid, and the protocol of a network."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .footprint import Footprint
from .grid_cells import to_pixels

Place = tuple[slice, slice]


class DenseOutput:
    """Output of a network for a batch of windows or one image: a float32 array per head, on the grid.

    ``probability`` is (h, w); ``distances`` (h, w, n_rays), in full-resolution pixels; ``classes``
    (h, w, n_classes + 1), background first, or None; ``foreground`` (h, w, grid_y * grid_x), the pixels of a grid cell
    row by row, or None. ``h = ceil(Y / grid_y)`` and ``w = ceil(X / grid_x)``. Batches add a leading axis.

    Parameters
    ----------
    **arrays : array or None
        By head name (``starpoly.network.heads``); None for a missing head.

    Attributes
    ----------
    arrays : dict of str to array
        Arrays of the existing heads.
    """

    def __init__(self, **arrays: NDArray[np.float32] | None) -> None:
        self.arrays: dict[str, NDArray[np.float32]] = {
            name: values for name, values in arrays.items() if values is not None
        }
        self._shape: tuple[int, int] | None = None

    @property
    def probability(self) -> NDArray[np.float32]:
        """Object probability at each grid point, highest well inside an object."""
        return self.arrays["probability"]

    @property
    def distances(self) -> NDArray[np.float32]:
        """Distance to the object's boundary along each ray."""
        return self.arrays["distances"]

    @property
    def classes(self) -> NDArray[np.float32] | None:
        """Probability of each class, or None."""
        return self.arrays.get("classes")

    @property
    def foreground(self) -> NDArray[np.float32] | None:
        """Foreground probability of each pixel of a grid cell, or None."""
        return self.arrays.get("foreground")

    @classmethod
    def empty(cls, shape: tuple[int, int], network: Network) -> DenseOutput:
        """Output for an area of ``shape`` pixels, filled later by :meth:`put`."""
        whole = cls()
        rows, columns = (-(-length // step) for length, step in zip(shape, network.grid, strict=True))
        whole._shape = rows, columns
        return whole

    @classmethod
    def of_one(cls, output: DenseOutput) -> DenseOutput:
        """Output for the single window of a batch."""
        return cls(**{name: values[0] for name, values in output.arrays.items()})

    def put(self, part: DenseOutput, inside: Place, place: Place) -> None:
        """Copy the part ``inside`` of a window's output to its ``place`` here."""
        for name, values in part.arrays.items():
            if name not in self.arrays:  # the first part defines heads and channels
                self.arrays[name] = np.empty((*(self._shape or ()), *values.shape[2:]), values.dtype)
            self.arrays[name][place] = values[inside]

    def foreground_pixels(self, grid: tuple[int, int]) -> NDArray[np.float32] | None:
        """The foreground of every pixel, (h * grid_y, w * grid_x), or None."""
        return None if self.foreground is None else to_pixels(self.foreground, grid)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {values.shape}" for name, values in self.arrays.items())
        return f"DenseOutput({shapes})"


class Network(Protocol):
    """Protocol of a network in the pipeline.

    ``stride`` is the total stride and ``grid`` the output spacing, (y, x) in pixels; ``footprints`` tell what outputs depend
    on along y and x. ``max_distance`` bounds the distances. ``ray_context`` lists the positions along the rays for their second
    estimate. ``has_foreground`` tells whether the foreground refines outlines. ``tile_size`` is the default side of a
    window. A call with float32 (batch, height, width, n_channels) returns a :class:`DenseOutput` for the batch.
    """

    stride: tuple[int, int]
    grid: tuple[int, int]
    footprints: tuple[Footprint, Footprint]
    max_distance: float
    n_rays: int
    n_classes: int
    ray_context: tuple[float, ...]
    has_foreground: bool
    tile_size: int

    def __call__(self, batch: NDArray[np.float32]) -> DenseOutput: ...

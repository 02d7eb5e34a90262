"""What a network says about every point of its grid, and what the pipeline asks of a network."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .grid_cells import to_pixels

Place = tuple[slice, slice]


class DenseOutput:
    """The answer of a network for a batch of windows, or for one image: an array per head, all on the grid, float32.

    ``probability`` is (h, w); ``distances`` (h, w, n_rays), in full-resolution pixels; ``classes``
    (h, w, n_classes + 1), background first, or None; ``foreground`` (h, w, grid_y * grid_x), the pixels of a grid cell
    row by row, or None; with ``h = ceil(Y / grid_y)`` and ``w = ceil(X / grid_x)``. Arrays for a batch have one more
    axis in front.

    Parameters
    ----------
    **arrays : array or None
        By the names of the heads (``starpoly.network.heads``); None stands for a head that the network lacks.

    Attributes
    ----------
    arrays : dict of str to array
        The heads that there are.
    """

    def __init__(self, **arrays: NDArray[np.float32] | None) -> None:
        self.arrays: dict[str, NDArray[np.float32]] = {
            name: values for name, values in arrays.items() if values is not None
        }
        self._shape: tuple[int, int] | None = None

    @property
    def probability(self) -> NDArray[np.float32]:
        """How likely each grid point lies well inside an object."""
        return self.arrays["probability"]

    @property
    def distances(self) -> NDArray[np.float32]:
        """How far the boundary of the object is along each ray."""
        return self.arrays["distances"]

    @property
    def classes(self) -> NDArray[np.float32] | None:
        """Probability of each class, or None."""
        return self.arrays.get("classes")

    @property
    def foreground(self) -> NDArray[np.float32] | None:
        """How likely each pixel of a grid cell lies in an object, or None."""
        return self.arrays.get("foreground")

    @classmethod
    def empty(cls, shape: tuple[int, int], network: Network) -> DenseOutput:
        """An answer for an area of ``shape`` pixels, to be filled by :meth:`put`."""
        whole = cls()
        rows, columns = (-(-length // step) for length, step in zip(shape, network.grid, strict=True))
        whole._shape = rows, columns
        return whole

    @classmethod
    def of_one(cls, output: DenseOutput) -> DenseOutput:
        """The answer for the only window of a batch."""
        return cls(**{name: values[0] for name, values in output.arrays.items()})

    def put(self, part: DenseOutput, inside: Place, place: Place) -> None:
        """Copy the part ``inside`` of the answer for a window to its ``place`` here."""
        for name, values in part.arrays.items():
            if name not in self.arrays:  # the first part says which heads there are, and their channels
                self.arrays[name] = np.empty((*(self._shape or ()), *values.shape[2:]), values.dtype)
            self.arrays[name][place] = values[inside]

    def foreground_pixels(self, grid: tuple[int, int]) -> NDArray[np.float32] | None:
        """The foreground of every pixel, (h * grid_y, w * grid_x), or None."""
        return None if self.foreground is None else to_pixels(self.foreground, grid)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {values.shape}" for name, values in self.arrays.items())
        return f"DenseOutput({shapes})"


class Network(Protocol):
    """A network as the pipeline sees it: what it needs to read, and a call.

    ``stride`` is its total stride, ``grid`` the step of its answers, ``halo`` the radius of its
    receptive field, all (y, x) in pixels; ``max_distance`` bounds its distances; ``ray_context`` says
    where along the rays they are estimated again; ``has_foreground`` whether the foreground refines outlines;
    ``tile_size`` is the side of its windows by default. Called with float32 (batch, height, width, n_channels), it
    returns a :class:`DenseOutput` for the batch.
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

    def __call__(self, batch: NDArray[np.float32]) -> DenseOutput: ...

"""Planes of an array whose axes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...images.axes import check_axes, to_yxc
from .array import ArraySource
from .array_like import as_array
from .axes import PlaneAxes, plane_axes
from .source import Source, check_level
from .stack import Stack


class ArrayStack(Stack):
    """An array, or anything with ``shape``, ``dtype`` and slicing, with planes along T and Z.

    A plane is read when it is opened, as numpy slices it: of a zarr, h5py or dask array, that plane alone.

    Parameters
    ----------
    array : array-like
    axes : str
        A letter per axis: Y, X, and C, Z, T, S (of length 1) where there are such.
    name : str
        For messages.

    Raises
    ------
    ImageError
        If the letters do not name the axes of the array.
    """

    def __init__(self, array: Any, axes: str, name: str = "array") -> None:
        if not (hasattr(array, "shape") and hasattr(array, "dtype")):
            array = np.asarray(array)
        self.name, self._array = name, array
        self._letters = check_axes(axes, tuple(array.shape))
        self._planes: PlaneAxes = plane_axes(tuple(array.shape), self._letters, Path(name))
        self.axes, self.lengths = self._planes.names, self._planes.lengths

    def open_plane(self, index: tuple[int, ...], level: int = 0) -> Source:
        """See :meth:`Stack.open_plane`."""
        source = ArraySource(self.plane(index), self.name)
        check_level(source.name, level, source.levels)
        return source

    def plane(self, index: tuple[int, ...]) -> Any:
        """The plane at ``index``, with axes YX or YXC."""
        at: list[Any] = [slice(None)] * len(self._letters)
        for axis, position in zip(self._planes.axes, index, strict=True):
            at[axis] = int(position)
        plane = self._array[tuple(at)]
        left = "".join(name for axis, name in enumerate(self._letters) if axis not in self._planes.axes)
        plane = as_array(plane, squeeze=False)  # masked values, libraries whose arrays are not numpy's
        if left not in ("YX", "YXC"):
            plane = np.asarray(plane)
        if len(plane.shape) != len(left):
            raise ImageError(f"{self.name}: expected a plane with axes {left}, got shape {plane.shape}")
        return to_yxc(plane, left)[0]

    def close(self) -> None:
        """Nothing is open."""

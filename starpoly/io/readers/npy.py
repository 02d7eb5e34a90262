"""NumPy ``.npy`` files, memory-mapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...tiling import Box
from .axes import Arrangement, arrange_axes, arrange_plane, check_single_plane, guess_axes, has_channels, plane_axes
from .mapped import MappedPlanes
from .source import FileSource, Source, check_level
from .stack import Stack, check_scene, reopen_plane
from .untrusted import decoding


class NpySource(FileSource):
    """An ``.npy`` file (Y, X), (Y, X, C) or, with up to four channels, (C, Y, X).

    Parameters
    ----------
    path : Path
    level : int
        0, the only one.

    Raises
    ------
    ImageError
        If the file is damaged or holds Python objects or a stack.
    """

    def __init__(self, path: Path, level: int = 0) -> None:
        with decoding(path, "a whole .npy file"):
            header = _Header(path)
            check_single_plane(header.shape, guess_axes(header.shape), path)
            self._pixels = header.pixels(arrange_axes(header.shape, guess_axes(header.shape), path))
        super().__init__(path, self._pixels.shape, self._pixels.dtype)
        check_level(path, level, self.levels)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._pixels.read(box, channels)


class NpyStack(Stack):
    """An ``.npy`` file of planes: (Z, Y, X), (Z, Y, X, C), (T, Z, Y, X) or (T, Z, Y, X, C).

    Parameters
    ----------
    path : Path
    scene : int
        0, the only one.

    Raises
    ------
    ImageError
        As for :class:`NpySource`.
    """

    def __init__(self, path: Path, scene: int = 0) -> None:
        check_scene(path, scene, ())
        self.name, self._path = str(path), path.absolute()
        with decoding(path, "a whole .npy file"):
            self._header = _Header(path)
            self._planes = plane_axes(self._header.shape, guess_axes(self._header.shape), path)
        self.axes, self.lengths, self.unnamed = self._planes.names, self._planes.lengths, self._planes.unnamed
        self.has_channels = has_channels(self._header.shape, guess_axes(self._header.shape))

    def open_plane(self, index: tuple[int, ...], level: int = 0) -> Source:
        """See :meth:`Stack.open_plane`."""
        return _NpyPlane(self, tuple(index), level)

    def open_as_channels(self, level: int = 0) -> Source:
        """See :meth:`Stack.open_as_channels`."""
        return _NpyPlane(self, None, level) if self.may_be_channels else super().open_as_channels()

    def close(self) -> None:
        """Nothing stays open."""


class _NpyPlane(FileSource):
    """A plane of a stack, or all its planes as channels."""

    def __init__(self, stack: NpyStack, index: tuple[int, ...] | None, level: int) -> None:
        path, shape = Path(stack.name), stack._header.shape
        with decoding(path, "a whole .npy file"):
            self._pixels = stack._header.pixels(arrange_plane(shape, guess_axes(shape), stack._planes, index, path))
        self._opener = (NpyStack, stack._path, 0, index)
        super().__init__(path, self._pixels.shape, self._pixels.dtype)
        check_level(path, level, self.levels)

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return reopen_plane, (*self._opener, self.level, self.name)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._pixels.read(box, channels)


class _Header:
    """Where the numbers of an ``.npy`` file lie."""

    def __init__(self, path: Path) -> None:
        try:
            # no object arrays: unpickling can execute code
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            if "Python objects" in str(error):
                raise ImageError(f"{path}: expected numbers, got Python objects; save an array of numbers") from error
            raise
        self.shape: tuple[int, ...] = array.shape
        if array.ndim < 2:
            raise ImageError(f"{path}: expected an image with axes YX or YXC, got an array of shape {self.shape}")
        if not array.size:
            raise ImageError(f"{path}: expected an image of at least one pixel, got shape {self.shape}")
        self._path, self._dtype, self._offset = path, array.dtype, array.offset
        self._order: Any = "C" if array.flags.c_contiguous else "F"

    def pixels(self, arrangement: Arrangement) -> MappedPlanes:
        return MappedPlanes(self._path, [self._offset], self.shape, self._dtype, arrangement, self._order)


open_image = NpySource
open_stack = NpyStack

"""Source: an image read by region."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import ImageError, without_warnings
from ...tiling import Box
from .channel_names import clean_names


class Source(ABC):
    """An image with axes (Y, X, C) whose regions are read on demand.

    ``source[y0:y1, x0:x1]`` is an array (y, x, C) in native byte order; a third index picks channels as in numpy.
    Slices are clipped to the image and have no step. Reading is thread-safe. A source is a context manager, which
    closes the file. An open source pickles by what it is made of: a file by its path, which is opened again, an array by
    its content.

    Attributes
    ----------
    name : str
        The file, for messages.
    shape : (int, int, int)
        Rows, columns and channels.
    dtype : numpy.dtype
        bool, integers or floats.
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x), None where the file does not say.
    level, levels : int, tuple of (int, int)
        Which level of the pyramid this is, and rows and columns of all.
    offset : (int, int)
        The first pixel (y, x) in the whole image of this level.
    bounds : (int, int)
        First pixel (y, x) of level 0 that the scanner recorded; (0, 0) where the file does not say.
    position : (float, float) or None
        Where the centre of this level's first pixel lies in micrometres (y, x), None where the file does not say.
    block : (int, int)
        Rows and columns that are decoded at once; regions along its multiples cost least.
    read_warning : str or None
        Why reading it by region is expensive, None where it is not.
    channel_names : tuple of str
        One per channel, as the file states them; empty where it states none.
    stored_as : str
        How the pixels lie in the file, for people; empty where there is nothing to say.
    single_axes : tuple of (str, float or None)
        Axes T and Z of length 1 that an OME-Zarr has beside these, and the step along each, in seconds or micrometres.
    """

    def __init__(
        self,
        name: object,
        shape: Sequence[int],
        dtype: DTypeLike,
        *,
        pixel_size: tuple[float, float] | None = None,
        level: int = 0,
        levels: Sequence[tuple[int, int]] = (),
        offset: tuple[int, int] = (0, 0),
        bounds: tuple[int, int] = (0, 0),
        position: tuple[float, float] | None = None,
        block: tuple[int, int] = (1, 1),
        read_warning: str | None = None,
        channel_names: Sequence[str] = (),
        stored_as: str = "",
        single_axes: Sequence[tuple[str, float | None]] = (),
    ) -> None:
        self.name = str(name)
        self.shape = check_shape(name, shape)
        self.dtype = check_dtype(name, np.dtype(dtype))
        self.pixel_size = pixel_size
        self.level = level
        self.levels = tuple((int(y), int(x)) for y, x in levels) or (self.shape[:2],)
        self.offset = offset
        self.bounds = bounds
        self.position = position
        self.block = block
        self.read_warning = read_warning
        self.channel_names = clean_names(channel_names, self.shape[2])
        self.stored_as = stored_as
        self.single_axes = tuple(single_axes)
        self._closed = False

    @abstractmethod
    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """The pixels of a box inside the image, (y, x, len(channels)), in any byte order; thread-safe."""

    def close(self) -> None:
        """Close the file. The source cannot be read any more."""
        self._closed = True

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """A picklable function and arguments that recreate this source.

        Raises
        ------
        ImageError
            If this kind of source does not support it.
        """
        raise ImageError(
            f"{self.name}: expected a source of a file or an array to pickle, got {type(self).__name__}; "
            "open it where it is read"
        )

    def __reduce__(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        if self._closed:
            raise ImageError(f"{self.name}: expected an open source to pickle, got a closed one; open it again")
        return self.made_by()

    @property
    def in_memory(self) -> bool:
        """Whether its pixels are held in memory."""
        return False

    @property
    def ndim(self) -> int:
        """Number of axes: three."""
        return 3

    @property
    def nbytes(self) -> int:
        """Size of the whole image in memory, in bytes."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    def __getitem__(self, key: Any) -> NDArray:
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) > 3 or not all(isinstance(index, slice) and index.step in (None, 1) for index in keys[:2]):
            raise ImageError(f"{self.name}: expected slices of rows and columns without step, got {key}")
        rows, columns = (
            index.indices(length)[:2]
            for index, length in zip((*keys[:2], slice(None))[:2], self.shape[:2], strict=True)
        )
        box = Box(rows[0], columns[0], max(rows), max(columns))
        channels = np.arange(self.shape[2])[keys[2]] if len(keys) == 3 else np.arange(self.shape[2])
        if 0 in box.shape or channels.size == 0:
            return np.empty((*box.shape, *channels.shape), self.dtype)
        pixels = self.read(box, tuple(int(channel) for channel in channels.ravel()))
        pixels = np.asarray(pixels, dtype=self.dtype)
        return pixels[..., 0] if channels.ndim == 0 else pixels

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray:
        """The whole image in memory."""
        whole = self[:, :]
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __len__(self) -> int:
        return self.shape[0]

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.shape} {self.dtype}>"


_INHERITED = (
    "pixel_size",
    "level",
    "levels",
    "offset",
    "bounds",
    "position",
    "block",
    "read_warning",
    "channel_names",
    "stored_as",
    "single_axes",
)


class DerivedSource(Source):
    """A source derived from another one. Inherits its attributes and closes it.

    Parameters
    ----------
    source : Source
        The other one.
    shape, dtype
        As for :class:`Source`; by default as the other one's.
    changes
        Any of the attributes that :class:`Source` takes by name, where they differ.
    """

    def __init__(
        self, source: Source, shape: Sequence[int] | None = None, dtype: DTypeLike | None = None, **changes: Any
    ) -> None:
        kept = {name: getattr(source, name) for name in _INHERITED}
        super().__init__(
            source.name,
            source.shape if shape is None else shape,
            source.dtype if dtype is None else dtype,
            **kept | changes,
        )
        self._source = source
        if self.shape[2] == source.shape[2] and "channel_names" not in changes:
            self.channel_names = source.channel_names

    @property
    def in_memory(self) -> bool:
        """See :attr:`Source.in_memory`."""
        return self._source.in_memory

    def close(self) -> None:
        """Close the other one."""
        super().close()
        self._source.close()


class FileSource(Source):
    """A source of a file or folder, which a class opens by path and level.

    Parameters
    ----------
    path : Path
        What is opened; the name of the source, too.
    shape, dtype, options
        As for :class:`Source`.
    """

    def __init__(self, path: Path, shape: Sequence[int], dtype: DTypeLike, **options: Any) -> None:
        super().__init__(path, shape, dtype, **options)
        self._path = path.absolute()  # another process may have another working directory

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return reopen, (type(self), self._path, self.level, self.name)


def reopen(make: Callable[..., Source], path: Path, level: int, name: str) -> Source:
    """Reopen a file under its original name, without repeating warnings."""
    with without_warnings():
        source = make(path, level)
    source.name = name
    return source


def check_shape(name: object, shape: Sequence[int]) -> tuple[int, int, int]:
    """Rows, columns and channels, all positive."""
    if len(shape) != 3 or min(shape) < 1:
        raise ImageError(f"{name}: expected an image with axes YX or YXC, got shape {tuple(shape)}")
    return int(shape[0]), int(shape[1]), int(shape[2])


def check_dtype(name: object, dtype: np.dtype) -> np.dtype:
    """The dtype in native byte order, if it is one of real numbers."""
    if dtype.kind not in "buif":
        raise ImageError(f"{name}: expected real numbers, got {dtype}; save real parts or magnitudes")
    return dtype.newbyteorder("=")


def check_level(name: object, level: int, levels: Sequence[object]) -> int:
    """A level of a pyramid that exists."""
    if not 0 <= level < len(levels):
        there = f"from 0 to {len(levels) - 1}" if len(levels) > 1 else "0, the only one"
        raise ImageError(f"{name}: expected a level {there}, got {level}; `starpoly info` lists the levels of a file")
    return level

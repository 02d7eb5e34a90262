"""Stacks of microscopes' own files: what their readers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...tiling import Box
from .pixel_size import PixelSize, scaled
from .source import Source, check_level
from .stack import Stack, check_index, reopen_plane
from .untrusted import decoding


class Pixels(Protocol):
    """The pixels of a plane, (Y, X, C)."""

    shape: tuple[int, int, int]
    dtype: np.dtype

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """The pixels of a box, (y, x, len(channels)); thread-safe."""


class FileStack(Stack):
    """A scene of a file whose planes are opened by :meth:`pixels`.

    Parameters
    ----------
    path : Path
    scene : int
    open_stack : callable
        Module-level function that opens the same scene of a path again.
    """

    levels: tuple[tuple[int, int], ...] = ()
    stored_as = ""

    def __init__(self, path: Path, scene: int, open_stack: Callable[[Path, int], FileStack]) -> None:
        self.path, self.scene, self.open_stack = path, scene, open_stack
        self.name = str(path)

    @contextmanager
    def describing(self, expected: str) -> Iterator[None]:
        """Look at the open file, as with :func:`~starpoly.io.readers.untrusted.decoding`; close it if that fails."""
        try:
            with decoding(self.path, expected):
                yield
        except BaseException:
            self.close()
            raise

    def pixels(self, index: tuple[int, ...], level: int) -> Pixels:
        """The pixels of a plane at a level."""
        raise NotImplementedError

    def open_plane(self, index: tuple[int, ...], level: int = 0) -> Source:
        """Open the plane at ``index``, a position along each of ``axes``, by region."""
        check_index(self, tuple(index), level)
        return PlaneSource(self, tuple(index), level)


class PlaneSource(Source):
    """A plane of a :class:`FileStack`. Closing it leaves the file open."""

    def __init__(self, stack: FileStack, index: tuple[int, ...], level: int) -> None:
        levels = stack.levels or None
        check_level(stack.name, level, levels or ["the only one"])
        self._pixels = stack.pixels(index, level)
        super().__init__(
            stack.name,
            self._pixels.shape,
            self._pixels.dtype,
            pixel_size=scaled(stack.pixel_size, levels[0], levels[level]) if levels else stack.pixel_size,
            level=level,
            levels=levels or (),
            block=getattr(self._pixels, "block", (1, 1)),
            read_warning=getattr(self._pixels, "read_warning", None),
            channel_names=stack.channel_names,
            stored_as=stack.stored_as,
        )
        self._opener = (stack.open_stack, stack.path.absolute(), stack.scene, index)

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return reopen_plane, (*self._opener, self.level, self.name)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._pixels.read(box, channels)

    def close(self) -> None:
        """Drop what is held of the plane."""
        super().close()
        clear = getattr(self._pixels, "clear", None)
        if clear is not None:
            clear()


_CLOSING_SECONDS = 60.0


@contextmanager
def closing(lock: Lock) -> Iterator[bool]:
    """Whether a file may be closed: not while a decoder that was given up holds it, see :mod:`.time_limit`."""
    held = lock.acquire(timeout=_CLOSING_SECONDS)
    try:
        yield held
    finally:
        if held:
            lock.release()


_PLANE_BYTES = 16
"""Bytes that every format needs at least to list a plane."""


def import_library(name: str, path: Path, title: str, package: str = "") -> ModuleType:
    """Import the optional library of a format on demand.

    Raises
    ------
    ImageError
        If it is not installed; the message says what to install.
    """
    try:
        return import_module(name)
    except (ImportError, OSError) as error:
        package = package or name
        raise ImageError(
            f"{path}: expected the package {package} to read {title}, got none; pip install {package}"
        ) from error


def names_of_several(names: Sequence[str]) -> tuple[str, ...]:
    """Names of scenes; none if there is one."""
    return tuple(names) if len(names) > 1 else ()


def check_planes(n_planes: int, path: Path) -> None:
    """Refuse a file that claims more planes than it has bytes to list them."""
    if n_planes * _PLANE_BYTES > path.stat().st_size:
        raise ImageError(
            f"{path}: expected at most {path.stat().st_size // _PLANE_BYTES} planes in a file of its size, got {n_planes}; "
            "the file is damaged, copy it again"
        )


def positive_step(step: object) -> float | None:
    """A step in z or time as the file states it, None where it is no positive number."""
    try:
        value = abs(float(str(step)))
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def size_from(y: float, x: float) -> PixelSize | None:
    """A pixel size of two positive numbers of micrometres, else None."""
    sizes = positive_step(y), positive_step(x)
    return None if sizes[0] is None or sizes[1] is None else (sizes[0], sizes[1])

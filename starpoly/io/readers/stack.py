"""Planes of a file: time points, z-slices and scenes, each opened as one image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from numpy.typing import NDArray

from ...errors import ImageError, without_warnings
from ...tiling import Box
from .pixel_size import PixelSize
from .source import DerivedSource, Source


class Stack(ABC):
    """One scene of a file: planes along time and z, each an image (Y, X, C).

    A reader module whose files hold more than one plane defines ``open_stack(path, scene=0) -> Stack``, and, where a
    file holds several scenes (positions, series), ``scene_names(path) -> tuple of str``.

    Attributes
    ----------
    name : str
        What messages call it.
    axes : str
        Axes beside Y, X and C, in the file's order: letters of ``"TZ"``; empty for a single plane. Pages whose meaning
        the file does not tell are ``"Z"``.
    lengths : tuple of int
        Planes along each of these axes.
    channel_names : tuple of str
        As the file states them; empty where it states none.
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x).
    z_step, t_step : float or None
        Micrometres between z-slices; seconds between time points.
    unnamed : bool
        Whether the file does not tell what its planes are.
    has_channels : bool
        Whether each plane has channels of its own.
    """

    name: str
    axes: str = ""
    lengths: tuple[int, ...] = ()
    channel_names: tuple[str, ...] = ()
    pixel_size: PixelSize | None = None
    z_step: float | None = None
    t_step: float | None = None
    unnamed: bool = False
    has_channels: bool = False

    @property
    def may_be_channels(self) -> bool:
        """Whether the planes may be channels of one image: along one axis without a name, and without channels."""
        return self.unnamed and len(self.axes) == 1 and not self.has_channels

    @abstractmethod
    def open_plane(self, index: tuple[int, ...], level: int = 0) -> Source:
        """Open the plane at ``index``, a position along each of ``axes`` at that level, by region."""

    def lengths_at(self, level: int) -> tuple[int, ...]:
        """Planes along each axis at a level of a pyramid; an OME-Zarr may be reduced along z and t, too."""
        return self.lengths

    def steps_at(self, level: int) -> tuple[float | None, float | None]:
        """``z_step`` and ``t_step`` at a level."""
        return self.z_step, self.t_step

    def open_as_channels(self, level: int = 0) -> Source:
        """Open the planes as channels of one image; for a stack of which :attr:`may_be_channels` is true.

        Raises
        ------
        ImageError
            For any other.
        """
        raise ImageError(f"{self.name}: expected planes without names to take for channels, got axes {self.axes}")

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_index(stack: Stack, index: tuple[int, ...], level: int = 0) -> None:
    """Refuse the index of a plane that a level does not have.

    Raises
    ------
    ImageError
    """
    lengths = stack.lengths_at(level)
    if len(index) != len(lengths) or not all(0 <= at < n for at, n in zip(index, lengths, strict=True)):
        extent = " x ".join(f"{axis} {n}" for axis, n in zip(stack.axes, lengths, strict=True)) or "1 plane"
        raise ImageError(f"{stack.name}: expected a plane within {extent}, got {tuple(index)}")


def check_scene(name: object, scene: int, names: Sequence[str]) -> int:
    """A scene that exists; ``names`` are those of several scenes, none of a single one.

    Raises
    ------
    ImageError
        If there is no such scene.
    """
    n = max(1, len(names))
    if not 0 <= scene < n:
        listed = ", ".join(f"{number} {name}" for number, name in enumerate(names)) or "0"
        raise ImageError(f"{name}: expected a scene from 0 to {n - 1}, got {scene}; the scenes are {listed}")
    return scene


def reopen_plane(
    open_stack: Callable[[Path, int], Stack],
    path: Path,
    scene: int,
    index: tuple[int, ...] | None,
    level: int,
    name: str,
) -> Source:
    """Open a plane, or all planes as channels, of a stack of its own, which is closed with it."""
    with without_warnings():
        stack = open_stack(path, scene)
        with closing_on_error(stack):
            plane = stack.open_as_channels(level) if index is None else stack.open_plane(index, level)
    plane.name = name
    return OwnedPlane(plane, stack)


@contextmanager
def closing_on_error(stack: Stack) -> Iterator[None]:
    """Close a stack if what is opened of it fails."""
    try:
        yield
    except BaseException:
        stack.close()
        raise


class OwnedPlane(DerivedSource):
    """A plane that closes its stack."""

    def __init__(self, plane: Source, stack: Stack) -> None:
        super().__init__(plane)
        self._stack = stack

    def made_by(self) -> tuple[Callable[..., Source], tuple[object, ...]]:
        """See :meth:`Source.made_by`."""
        return self._source.made_by()

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._source.read(box, channels)

    def close(self) -> None:
        """Close plane and stack."""
        super().close()
        self._stack.close()

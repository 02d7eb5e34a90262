"""One plane as a stack, and a stack as one image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ImageError, warn, without_warnings
from .registry import find_reader
from .source import Source
from .stack import OwnedPlane, Stack, check_scene, closing_on_error

if TYPE_CHECKING:
    from .registry import Reader


class SinglePlane(Stack):
    """A file of one plane. It is opened with its plane.

    Parameters
    ----------
    path : Path
    scene : int
        0, the only one.
    """

    def __init__(self, path: Path, scene: int = 0) -> None:
        check_scene(path, scene, ())
        self.name, self._path = str(path), path

    def open_plane(self, index: tuple[int, ...], level: int = 0) -> Source:
        """See :meth:`Stack.open_plane`."""
        return find_reader(self._path).open(self._path, level)

    def close(self) -> None:
        """Nothing stays open."""


def open_only_plane(reader: Reader, path: Path, level: int) -> Source:
    """The one plane of the first scene of a file.

    Raises
    ------
    ImageError
        If there are more planes.

    Warns
    -----
    StarpolyWarning
        If there are more scenes.
    """
    n_scenes = len(reader.scene_names(path))
    if n_scenes > 1:
        message = f"{path}: expected one image, got {n_scenes}; the first is used"
        warn(message, stacklevel=5)
    stack = reader.stack(path)
    with closing_on_error(stack):
        if stack.axes:
            extent = " x ".join(f"{axis} {n}" for axis, n in zip(stack.axes, stack.lengths, strict=True))
            raise ImageError(
                f"{path}: expected one image, got a stack of {extent}; `starpoly predict` segments its planes, "
                "starpoly.io.open_stack reads them; elsewhere, save planes as single files"
            )
        return OwnedPlane(stack.open_plane((), level), stack)


def open_as_channels(open_stack: Callable[[Path], Stack], path: Path, level: int) -> Source | None:
    """The planes of a file that does not name them as channels of one image; None where they cannot be, see :class:`Stack`."""
    with without_warnings():  # said when it is opened otherwise
        stack = open_stack(path)
    if not stack.may_be_channels:
        stack.close()
        return None
    with closing_on_error(stack):
        return OwnedPlane(stack.open_as_channels(level), stack)

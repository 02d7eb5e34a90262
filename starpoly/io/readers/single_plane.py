"""An image of one plane as a stack."""

from __future__ import annotations

from pathlib import Path

from .registry import find_reader
from .source import Source
from .stack import Stack, check_scene


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

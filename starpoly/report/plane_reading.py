"""The planes of a file: the one in the middle, which is shown, and the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..io.readers.images import open_source
from ..io.readers.planes import open_stack
from ..io.readers.source import Source
from ..io.readers.stack import Stack
from ..tiling import Box


class ReadPlanes:
    """The planes of an open stack, or of an image of one plane.

    Attributes
    ----------
    lengths : tuple of int
        Planes along each axis; empty for one plane.
    """

    def __init__(self, path: Path, stack: Stack, scene: int = 0) -> None:
        self._path, self._stack, self._scene, self.lengths = path, stack, scene, stack.lengths
        self._middle = tuple(length // 2 for length in self.lengths)

    def open_middle(self, level: int = 0, roi: Box | None = None) -> Source:
        """Open the plane in the middle along each axis."""
        if not self.lengths and not self._scene:
            return open_source(self._path, level=level, roi=roi)
        return open_source(self._stack.open_plane(self._middle, level), level=level, roi=roi)

    def others(self) -> Iterator[Source]:
        """The other planes, each open until the next one."""
        for index in np.ndindex(*self.lengths):
            if index != self._middle:
                with self._stack.open_plane(index) as plane:
                    yield plane


@contextmanager
def open_planes(path: Path, scene: int = 0) -> Iterator[ReadPlanes]:
    """Open the planes of a scene of a file.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    with open_stack(path, scene=scene) as stack:
        yield ReadPlanes(path, stack, scene)

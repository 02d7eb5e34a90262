"""NumPy ``.npy`` files, memory-mapped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...tiling import Box
from .axes import arrange_axes, guess_axes
from .mapped import MappedPlanes
from .source import FileSource, Source, check_level
from .untrusted import decoding


class NpySource(FileSource):
    """An ``.npy`` file (Y, X), (Y, X, C) or, with up to four channels, (C, Y, X).

    Parameters
    ----------
    path : Path
    level : int
        0, the only one.
    stated : bool
        See :func:`~starpoly.io.readers.axes.arrange_axes`.

    Raises
    ------
    ImageError
        If the file is damaged or holds Python objects or a stack.
    """

    def __init__(self, path: Path, level: int = 0, *, stated: bool = False) -> None:
        with decoding(path, "a whole .npy file"):
            # no object arrays: unpickling can execute code
            header = np.load(path, mmap_mode="r", allow_pickle=False)
            shape, dtype, offset = header.shape, header.dtype, header.offset
            order = "C" if header.flags.c_contiguous else "F"
            del header
            arrangement = arrange_axes(shape, guess_axes(shape), path, stated=stated)
            self._pixels = MappedPlanes(path, [offset], shape, dtype, arrangement, order)  # type: ignore[arg-type]
        super().__init__(path, self._pixels.shape, dtype, make=open_as_channels if stated else None)
        check_level(path, level, self.levels)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._pixels.read(box, channels)


open_image = NpySource


def open_as_channels(path: Path, level: int = 0) -> Source:
    """Open an array whose unnamed axis holds channels, as the user has said."""
    return NpySource(path, level, stated=True)

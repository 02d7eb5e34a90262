"""Sources from arrays in memory and array-likes: zarr, dask, h5py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...tiling import Box
from .blocks import EXPENSIVE_BYTES
from .source import Source, check_level, reopen
from .untrusted import decoding

DECODED_WHOLE = "decoded whole"
"""How the pixels of a file lie that is held in memory."""


class ArraySource(Source):
    """Anything with ``shape``, ``dtype`` and slicing.

    Parameters
    ----------
    array : array-like (Y, X) or (Y, X, C)
        Slices are passed to ``numpy.asarray``. Slicing must be thread-safe.
    name : str
        For messages.
    read_warning : str, optional
        See :class:`Source`.
    channel_names : sequence of str
        See :class:`Source`; none where their number is another.

    Raises
    ------
    ImageError
        If the number of axes is wrong, or the array is empty or not real-valued.
    """

    def __init__(
        self,
        array: Any,
        name: object = "array",
        read_warning: str | None = None,
        channel_names: Sequence[str] = (),
    ) -> None:
        if not (hasattr(array, "shape") and hasattr(array, "dtype") and hasattr(array, "__getitem__")):
            raise ImageError(
                f"{name}: expected a path or an array with shape, dtype and slicing, got {type(array).__name__}"
            )
        if len(array.shape) not in (2, 3):
            raise ImageError(f"{name}: expected an image with axes YX or YXC, got shape {tuple(array.shape)}")
        super().__init__(
            name,
            (*array.shape, 1)[:3],
            array.dtype,
            block=_block(array),
            read_warning=read_warning,
            channel_names=channel_names,
        )
        self._array = array

    @property
    def in_memory(self) -> bool:
        """See :attr:`Source.in_memory`."""
        return isinstance(self._array, np.ndarray) and not isinstance(self._array, np.memmap)

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return ArraySource, (self._array, self.name, self.read_warning, self.channel_names)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        with decoding(self.name, f"pixels of {box}"):
            pixels = np.asarray(self._array[box.slices])
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        if pixels.shape != (*box.shape, self.shape[2]):
            raise ImageError(f"{self.name}: expected {(*box.shape, self.shape[2])} pixels of {box}, got {pixels.shape}")
        return pixels if tuple(channels) == tuple(range(self.shape[2])) else pixels[..., list(channels)]


class DecodedSource(ArraySource):
    """A file without access by region, decoded whole.

    Parameters
    ----------
    path : Path
    level : int
        0, the only one.
    read : callable
        Module-level function that returns the pixels of a path.
    """

    def __init__(self, path: Path, level: int, read: Callable[[Path], NDArray]) -> None:
        check_level(path, level, ["the only one"])
        with decoding(path):
            image = read(path)
        warning = (
            f"cannot be read by region: {image.nbytes / 1e6:.0f} MB are decoded and held in memory; "
            "save it as a tiled TIFF"
        )
        super().__init__(image, path, warning if image.nbytes > EXPENSIVE_BYTES else None)
        self.stored_as = DECODED_WHOLE
        self._path, self._read = path.absolute(), read

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return reopen, (partial(DecodedSource, read=self._read), self._path, self.level, self.name)


def _block(array: Any) -> tuple[int, int]:
    """Chunk shape: from zarr and h5py (lengths) or dask (lengths of every chunk); one pixel without chunks."""
    chunks = getattr(array, "chunks", None) or (1, 1)
    rows, columns = (max(length) if isinstance(length, tuple) else length for length in chunks[:2])
    return int(rows), int(columns)

"""Memory-mapped images: uncompressed pixels in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...tiling import Box
from .axes import Arrangement
from .untrusted import decoding


class MappedPlanes:
    """One or more equal arrays at offsets of a file, concatenated along channels.

    Each region maps the file anew: pages of a persistent map would count as memory of the process.

    Parameters
    ----------
    path : Path
        The file.
    offsets : sequence of int
        Byte at which each array starts.
    shape, dtype, order
        Of each array as stored; ``order`` is C or F.
    arrangement : Arrangement
        Which of its axes is which.
    """

    def __init__(
        self,
        path: Path,
        offsets: Sequence[int],
        shape: tuple[int, ...],
        dtype: np.dtype,
        arrangement: Arrangement,
        order: Literal["C", "F"] = "C",
    ) -> None:
        self._path, self._offsets, self._arrangement = path, tuple(offsets), arrangement
        self._options: dict[str, Any] = {"shape": shape, "dtype": dtype, "order": order, "mode": "r"}
        height, width, self._samples = arrangement.lengths(shape)
        self.shape = (height, width, self._samples * len(self._offsets))
        self.dtype = dtype
        end = max(self._offsets) + int(np.prod(shape, dtype=object)) * dtype.itemsize
        if end > path.stat().st_size:
            raise ImageError(
                f"{path}: expected {end} bytes, got {path.stat().st_size}; the file is truncated, copy it again"
            )

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """The pixels of a box, (y, x, len(channels)), as stored."""
        pixels = np.empty((*box.shape, len(channels)), self.dtype)
        planes: dict[int, list[int]] = {}
        for position, channel in enumerate(channels):
            planes.setdefault(channel // self._samples, []).append(position)
        with decoding(self._path, f"pixels of {box}"):
            for plane, positions in planes.items():
                view = self._arrangement(np.memmap(self._path, offset=self._offsets[plane], **self._options))
                part = np.asarray(view[box.slices])
                for position in positions:
                    sample = channels[position] % self._samples
                    pixels[..., position] = part if part.ndim == 2 else part[..., sample]
        return pixels


class MappedChannels:
    """Channels (Y, X) at offsets of a file, with any steps between rows and columns.

    Parameters
    ----------
    path : Path
        The file.
    start, stop : int
        Bytes of the file among which they lie.
    offsets : sequence of int
        Byte at which each channel starts, from ``start``.
    shape : (int, int)
        Rows and columns.
    strides : (int, int)
        Bytes from a row, and from a pixel, to the next.
    dtype : numpy.dtype
    """

    def __init__(
        self,
        path: Path,
        start: int,
        stop: int,
        offsets: Sequence[int],
        shape: tuple[int, int],
        strides: tuple[int, int],
        dtype: np.dtype,
    ) -> None:
        self._path, self._start, self._n_bytes, self._offsets = path, start, stop - start, tuple(offsets)
        self._rows, self._strides, self._stored = shape, strides, dtype
        self.shape, self.dtype = (*shape, len(self._offsets)), dtype
        reach = sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True)) + dtype.itemsize
        if min(strides) < 1 or min(self._offsets) < 0 or max(self._offsets) + reach > self._n_bytes:
            raise ImageError(
                f"{path}: expected {max(self._offsets) + reach} bytes of pixels, got {self._n_bytes}; "
                "the file is damaged, copy it again"
            )

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """The pixels of a box, (y, x, len(channels)), as stored."""
        pixels = np.empty((*box.shape, len(channels)), self.dtype)
        with decoding(self._path, f"pixels of {box}"):
            stored = np.memmap(self._path, np.uint8, "r", self._start, (self._n_bytes,))
            for position, channel in enumerate(channels):
                view: NDArray = np.ndarray(self._rows, self._stored, stored, self._offsets[channel], self._strides)
                pixels[..., position] = view[box.slices]
        return pixels

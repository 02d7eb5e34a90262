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

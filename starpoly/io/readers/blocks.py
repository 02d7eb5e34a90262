"""Images stored as a grid of blocks: tiles, strips or chunks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, warn
from ...tiling import Box
from .block_cache import BlockCache
from .time_limit import within_time
from .untrusted import decoding

CACHE_BYTES = 32 << 20
"""Cache size per source in bytes, so that overlapping windows do not decode blocks twice."""

EXPENSIVE_BYTES = 256 << 20
"""Bytes decoded at once above which starpoly warns."""

MAX_BLOCK_BYTES = 16 << 30
"""Largest accepted block in bytes. Only damaged headers claim more."""

SPARE_BYTES = 64 << 20
"""Bytes of a block that may be decoded whatever is asked for and however small the file is."""

LARGEST_RATIO = 20
"""Bytes decoded per byte stored beyond which a block larger than that must be asked for as a whole."""


class Packed(NamedTuple):
    """What decoding a block takes."""

    stored: int
    """Bytes in the file."""
    decoded: int
    """Bytes in memory."""


@dataclass
class BlockGrid:
    """Pixels (Y, X, C) stored as blocks of ``block`` pixels in ``ceil(C / samples)`` planes.

    Channel ``c`` is sample ``c % samples`` of plane ``c // samples``. ``decode(plane, row, column)`` gives the pixels
    (y, x, samples) of one block; at the far ends they may be more or only those inside the image. ``kind`` is what
    the format calls a block. ``packed(plane, row, column)`` says what a block takes, for formats that pack; a block of
    much from little is refused unless as much is asked for.
    """

    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype
    block: tuple[int, int]
    samples: int
    decode: Callable[[int, int, int], NDArray]
    kind: str = "tile"
    packed: Callable[[int, int, int], Packed] | None = None
    read_warning: str | None = field(init=False)

    def __post_init__(self) -> None:
        self.block = (min(self.block[0], self.shape[0]), min(self.block[1], self.shape[1]))
        n_rows, n_columns = (-(-length // step) for length, step in zip(self.shape[:2], self.block, strict=True))
        n_bytes = self.block[0] * self.block[1] * self.samples * self.dtype.itemsize
        if n_bytes > MAX_BLOCK_BYTES:
            raise ImageError(
                f"{self.name}: expected {self.kind}s of at most {MAX_BLOCK_BYTES} bytes, got {n_bytes}; save it tiled"
            )
        # a window may lie across the border of two rows of blocks, in every plane
        needed = n_bytes * -(-self.shape[2] // self.samples) * (1 if n_rows == n_columns == 1 else 2)
        self._cache = BlockCache(max(CACHE_BYTES, needed))
        self.read_warning = self._describe_cost(needed) if needed > EXPENSIVE_BYTES else None

    def _describe_cost(self, n_bytes: int) -> str:
        rows, columns = self.block
        return (
            f"stored as {self.kind}s of {rows} x {columns} pixels, which cannot be read in part: "
            f"up to {n_bytes / 1e6:.0f} MB are decoded and held in memory; save it in tiles to read it by region"
        )

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """The pixels of a box, (y, x, len(channels)), as stored."""
        if self._is_all_of_one_block(box, channels):
            return self._decode(0, 0, 0)
        pixels = np.empty((*box.shape, len(channels)), self.dtype)
        planes: dict[int, list[int]] = {}
        for position, channel in enumerate(channels):
            planes.setdefault(channel // self.samples, []).append(position)
        for row, column, common in self._blocks(box):
            there = _shifted(common, box.y0, box.x0).slices
            here = _shifted(common, row * self.block[0], column * self.block[1]).slices
            for plane, positions in planes.items():
                samples = [channels[position] % self.samples for position in positions]
                self._check_packed(plane, row, column, pixels.nbytes)
                part = self._decoded(plane, row, column)[here]
                if len(positions) == len(channels) and samples == list(range(self.samples)):
                    pixels[there] = part
                else:
                    pixels[(*there, positions)] = part[..., samples]
        return pixels

    def clear(self) -> None:
        """Drop decoded blocks."""
        self._cache.clear()

    def _blocks(self, box: Box) -> Iterator[tuple[int, int, Box]]:
        """Row and column of each block that overlaps a box, and the overlap."""
        height, width = self.block
        for row in range(box.y0 // height, -(-box.y1 // height)):
            for column in range(box.x0 // width, -(-box.x1 // width)):
                y, x = row * height, column * width
                yield row, column, Box(max(y, box.y0), max(x, box.x0), min(y + height, box.y1), min(x + width, box.x1))

    def _is_all_of_one_block(self, box: Box, channels: Sequence[int]) -> bool:
        """Whether a large image that is one block is wanted whole: a copy of it would cost as much again."""
        whole = (0, 0, *self.shape[:2]) == (box.y0, box.x0, box.y1, box.x1) and self.block == self.shape[:2]
        is_large = math.prod(self.shape) * self.dtype.itemsize > CACHE_BYTES
        return is_large and whole and self.samples == self.shape[2] and list(channels) == list(range(self.samples))

    def _check_packed(self, plane: int, row: int, column: int, wanted: int) -> None:
        """Refuse to decode much more than is wanted from a small part of a file."""
        if self.packed is None:
            return
        stored, decoded = self.packed(plane, row, column)
        most = max(wanted, LARGEST_RATIO * stored) + SPARE_BYTES
        if decoded > most:
            raise ImageError(
                f"{self.name}: expected a {self.kind} of at most {most} bytes in memory, got one of {decoded} from {stored} "
                f"in the file at row {row}, column {column}; save it in smaller {self.kind}s"
            )

    def _decoded(self, plane: int, row: int, column: int) -> NDArray:
        return self._cache.get((plane, row, column), lambda: self._decode(plane, row, column))

    def _decode(self, plane: int, row: int, column: int) -> NDArray:
        """One block, cut at the image's end and checked."""
        y, x = row * self.block[0], column * self.block[1]
        inside = Box(y, x, y + self.block[0], x + self.block[1]).clip(self.shape[:2])
        what = f"a whole {self.kind} at row {row}, column {column} (pixel {y}, {x})"
        with decoding(self.name, what):
            pixels = within_time(partial(self.decode, plane, row, column), self.name, what)
            pixels = pixels[: inside.shape[0], : inside.shape[1]]
        if pixels.shape != (*inside.shape, self.samples):
            raise ImageError(
                f"{self.name}: expected {what} of {(*inside.shape, self.samples)}, got {pixels.shape}; export it again"
            )
        return pixels


def _shifted(box: Box, y: int, x: int) -> Box:
    return Box(box.y0 - y, box.x0 - x, box.y1 - y, box.x1 - x)


def warn_of_cost(name: object, read_warning: str | None) -> None:
    """Warn if a source is expensive to read by region."""
    if read_warning is not None:
        warn(f"{name}: {read_warning}", stacklevel=4)

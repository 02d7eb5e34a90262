"""Pixel access of TIFF files: memory-mapped if uncompressed, else by tile or strip."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from .axes import Arrangement
from .blocks import SPARE_BYTES, BlockGrid, Packed
from .mapped import MappedPlanes
from .tiff_file import guard_decoder

_JPEG = (6, 7, 34892, 33007)
"""Compressions whose tables stand apart from the tiles."""


class NotByRegionError(ImageError):
    """The layout cannot be read by region."""


def check_extent(series: Any, path: Path) -> None:
    """Refuse incomplete files before allocation: strips or tiles missing, or beyond the end of file."""
    size = path.stat().st_size
    ends = [
        offset + count
        for page in series.pages
        if page is not None
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    ]
    if max(ends, default=0) > size:
        raise ImageError(f"{path}: expected {max(ends)} bytes, got {size}; the file is truncated, copy it again")
    chunks, expected = len(series.keyframe.dataoffsets), math.prod(series.keyframe.chunked)
    if chunks < expected and not series.keyframe.is_contiguous:
        raise ImageError(
            f"{path}: expected {expected} strips or tiles, got {chunks}; the file is damaged, copy it again"
        )
    if len(series.shape) < 2 or 0 in series.shape:
        raise ImageError(f"{path}: expected an image with axes YX or YXC, got shape {series.shape}")


class TiffBytes:
    """Bytes of an open file for several threads."""

    def __init__(self, handle: Any) -> None:
        self._handle, self._lock, self._open = handle, threading.Lock(), True

    def read(self, offset: int, count: int) -> bytes:
        with self._lock:
            if not self._open:
                raise ValueError("the file is closed")
            self._handle.seek(offset)
            data = self._handle.read(count)
        if len(data) != count:
            raise ValueError(f"expected {count} bytes at {offset}, got {len(data)}")
        return data

    def close(self) -> None:
        with self._lock:
            self._open = False


def pixels_of(
    series: Any, arrangement: Arrangement, file: TiffBytes, path: Path, byteorder: str
) -> BlockGrid | MappedPlanes:
    """How the pixels of a series are reached: mapped where they lie there plainly, else block by block."""
    page = series.keyframe
    dtype = np.dtype(page.dtype)
    stored = dtype.newbyteorder(byteorder)
    if series.dataoffset is not None:
        return MappedPlanes(path, [series.dataoffset], series.shape, stored, arrangement)
    pages = list(series.pages)
    planes, depth, height, width, samples = page.shaped
    fits = (height, width, len(pages) * planes * samples) == arrangement.lengths(series.shape)
    alike = all(other is None or other.keyframe.shaped == page.shaped for other in pages)
    if depth != 1 or not fits or not alike or (samples > 1 and len(pages) > 1):
        raise NotByRegionError
    block = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, width)
    if not all(isinstance(length, int) for length in block):  # a tag may be of any type
        raise ImageError(
            f"{path}: expected tiles or strips of whole pixels, got {block}; the file is damaged, copy it again"
        )
    whole = all(other is not None and len(other.dataoffsets) == 1 for other in pages)
    if whole and page.is_final and not page.is_tiled and planes * samples == 1:
        plain = Arrangement((0, 1), "YX", 2)
        return MappedPlanes(path, [other.dataoffsets[0] for other in pages], (height, width), stored, plain)
    decode = _SegmentDecoder(pages, block, file)
    kind = "tile" if page.is_tiled else "strip"
    shape = (height, width, len(pages) * planes * samples)
    return BlockGrid(str(path), shape, dtype, block, samples, decode, kind, _packed(decode, path))


def _packed(decode: _SegmentDecoder, path: Path) -> Callable[[int, int, int], Packed] | None:
    """What a segment takes, where it is large; the whole file is what it is unpacked from."""
    if decode.n_bytes <= SPARE_BYTES:
        return None
    size = path.stat().st_size
    return lambda plane, row, column: Packed(size, decode.n_bytes if decode.is_there(plane, row, column) else 0)


class _SegmentDecoder:
    """Decodes the tile or strip at a row and column of a plane: a page's sample plane, page after page."""

    def __init__(self, pages: Sequence[Any], block: tuple[int, int], file: TiffBytes) -> None:
        self._file = file
        key = next(page for page in pages if page is not None).keyframe
        self._planes, _, height, width, self._samples = key.shaped
        self._n_rows, self._n_columns = -(-height // block[0]), -(-width // block[1])
        self._block, self._key = (min(block[0], height), min(block[1], width)), key
        self.n_bytes = block[0] * block[1] * self._samples * np.dtype(key.dtype).itemsize
        # read now: afterwards nothing but tiles is read, under the lock
        self._options = [
            {"jpegtables": page.jpegtables, "jpegheader": page.keyframe.jpegheader}
            if page is not None and key.compression in _JPEG
            else {}
            for page in pages
        ]
        # tifffile makes a page's decoder when it is first asked for, which is not thread-safe
        self._decoders = [None if page is None else guard_decoder(page) for page in pages]
        self._places = [None if page is None else (page.dataoffsets, page.databytecounts) for page in pages]

    def __call__(self, plane: int, row: int, column: int) -> NDArray:
        number, index = self._locate(plane, row, column)
        place, decode = self._places[number], self._decoders[number]
        if place is None or decode is None or place[1][index] == 0:
            value = np.asarray(self._key.nodata).astype(self._key.dtype)
            return np.broadcast_to(value, (*self._block, self._samples))
        data = self._file.read(place[0][index], place[1][index])
        decoded, _, shape = decode(data, index, **self._options[number])
        if decoded is None or shape[0] != 1:
            raise ImageError("no pixels")
        return decoded[0]

    def is_there(self, plane: int, row: int, column: int) -> bool:
        """Whether the file holds the segment."""
        number, index = self._locate(plane, row, column)
        place = self._places[number]
        return place is not None and place[1][index] != 0

    def _locate(self, plane: int, row: int, column: int) -> tuple[int, int]:
        """Number of the page and index of the segment in it."""
        index = ((plane % self._planes) * self._n_rows + row) * self._n_columns + column
        return plane // self._planes, index

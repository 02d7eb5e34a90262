"""Chunks of a zarr array as blocks of an image."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from .axes import Arrangement
from .blocks import SPARE_BYTES, Packed
from .zarr_codecs import bound_decoding, widest_element
from .zarr_metadata import check_metadata

_WINDOW = 512
"""Rows and columns of a window for which reads are counted."""

_INDEX_BYTES = 16
"""Of a chunk in the index of a shard."""

_MOST_READS = 4096
"""Chunks that may lie in a window of one image: 8 x 8 pixels each. A read costs a tenth of a millisecond or more."""


def check_chunks(shape: tuple[int, int, int], chunk: tuple[int, int, int], path: Path) -> None:
    """Refuse chunks so small that reading them would not end; rows, columns and channels of image and chunk.

    Raises
    ------
    ImageError
        If a window of 512 x 512 pixels would take more than :data:`_MOST_READS` reads.
    """
    window = (min(_WINDOW, shape[0]), min(_WINDOW, shape[1]), shape[2])
    n_reads = math.prod(-(-length // max(1, step)) for length, step in zip(window, chunk, strict=True))
    if n_reads > _MOST_READS:
        raise ImageError(
            f"{path}: expected chunks of at least 8 x 8 pixels, got {' x '.join(map(str, chunk))}, which take {n_reads} "
            f"reads for a window of {window[0]} x {window[1]}; save it in larger chunks"
        )


def bounded(array: Any, path: Path) -> Any:
    """An array, just opened, whose chunks unpack no more than they hold, and whose objects are no larger than that.

    Raises
    ------
    ImageError
        If it has other codecs than those that are allowed, whatever zarr has read them from.
    """
    for key, document in _documents(array).items():
        check_metadata(document, key, path)
    store = array.store_path.store
    if hasattr(store, "admit"):
        store.admit(
            math.prod(array.shards or array.chunks) * widest_element(array) + _INDEX_BYTES * _chunks_in_shard(array)
        )
    return bound_decoding(array)


def _chunks_in_shard(array: Any) -> int:
    return math.prod(-(-whole // part) for whole, part in zip(array.shards or array.chunks, array.chunks, strict=True))


def described(array: Any) -> bytes:
    """The metadata of an array."""
    return b"".join(document for _, document in sorted(_documents(array).items()))


def _documents(array: Any) -> dict[str, bytes]:
    from zarr.core.buffer import default_buffer_prototype

    documents = array.metadata.to_buffer_dict(default_buffer_prototype())
    return {name: document.to_bytes() for name, document in documents.items()}


def sampled_keys(array: Any, most: int) -> list[str]:
    """Names of some chunks, or shards, spread evenly over an array."""
    outer = array.shards or array.chunks
    lengths = tuple(-(-whole // part) for whole, part in zip(array.shape, outer, strict=True))
    n = math.prod(lengths)
    numbers = sorted({n * k // max(1, min(n, most)) for k in range(min(n, most))})
    places = (_place_of(number, lengths) for number in numbers)
    return [_key(array, place) for place in places]


def _place_of(number: int, lengths: tuple[int, ...]) -> tuple[int, ...]:
    place = []
    for length in reversed(lengths):
        number, at = divmod(number, length)
        place.append(at)
    return tuple(reversed(place))


def _key(array: Any, place: tuple[int, ...]) -> str:
    """Name of a chunk, or shard, in the store."""
    key, within = array.metadata.encode_chunk_key(place), array.store_path.path
    return f"{within}/{key}" if within else key


class ChunkDecoder:
    """Reads a block, which is a chunk or several.

    Parameters
    ----------
    array : zarr.Array
    arrangement : Arrangement
        Which of its axes is which.
    block : (int, int)
        Rows and columns of a block.
    samples : int
        Channels of a block.
    """

    def __init__(self, array: Any, arrangement: Arrangement, block: tuple[int, int], samples: int) -> None:
        self._array, self._block, self._samples = array, block, samples
        self._order, self._position = arrangement.order, dict(arrangement.position)
        self._cut = replace(arrangement, position=())
        self._chunk_bytes = math.prod(array.chunks) * np.dtype(array.dtype).itemsize
        self._outer = array.shards or array.chunks  # what a file holds
        self.is_large = self._chunk_bytes > SPARE_BYTES
        lengths = arrangement.lengths(array.chunks)
        self._is_one = block[0] <= lengths[0] and block[1] <= lengths[1]
        # a question costs as much as a chunk where there is a network between
        self._asks_first = self._is_one and (self.is_large or not hasattr(array.store_path.store, "admit"))

    def __call__(self, plane: int, row: int, column: int) -> NDArray:
        """The pixels (y, x, samples) of a block."""
        index = self._index(plane, row, column)
        if self._asks_first and self._stored(index) is None:  # without a buffer, however large it claims to be
            return np.broadcast_to(self._fill_value(), (*self._block, self._samples))
        pixels = self._cut(np.asarray(self._array[index]))
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        missing = self._samples - pixels.shape[2]  # the last plane may hold fewer
        return np.pad(pixels, ((0, 0), (0, 0), (0, missing))) if missing else pixels

    def packed(self, plane: int, row: int, column: int) -> Packed:
        """What a block costs: bytes of its largest chunk as stored, and decoded."""
        if not self._is_one:
            return Packed(0, self._chunk_bytes)
        stored = self._stored(self._index(plane, row, column))
        return Packed(0, 0) if stored is None else Packed(stored, self._chunk_bytes)

    def _index(self, plane: int, row: int, column: int) -> tuple[slice, ...]:
        stops = (
            slice(row * self._block[0], (row + 1) * self._block[0]),
            slice(column * self._block[1], (column + 1) * self._block[1]),
            slice(plane * self._samples, (plane + 1) * self._samples),
        )
        at = [self._position.get(axis, 0) for axis in range(self._array.ndim)]
        index = [slice(first, first + 1) for first in at]
        for axis, stop in zip(self._order, stops, strict=False):
            index[axis] = stop
        return tuple(index)

    def _stored(self, index: tuple[slice, ...]) -> int | None:
        """Bytes of the file of a chunk or shard, None if there is none."""
        place = tuple(part.start // length for part, length in zip(index, self._outer, strict=True))
        return self._array.store_path.store.size_of(_key(self._array, place))

    def _fill_value(self) -> NDArray:
        value = self._array.fill_value
        return np.asarray(0 if value is None else value).astype(self._array.dtype)

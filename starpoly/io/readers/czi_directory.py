"""The directory of a CZI file: refuse what would lead its library, which trusts it, out of the file.

After the description of the format by Zeiss ("ZISRAW (CZI) File Format"): segments begin with 16 bytes of name and two sizes,
the directory lists an entry per tile with its place in the file and its extent along each dimension.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from ...errors import ImageError

_HEAD = struct.Struct("<16sQQ")
_ENTRY = struct.Struct("<2siqiiB5sI")
_DIMENSION = struct.Struct("<4siifi")
_DIMENSIONS = frozenset("XYZCTRSIHVBM")
_MOST_DIMENSIONS = 40
_LARGEST = 1 << 28
"""Pixels and planes along a dimension beyond which an extent is damaged."""

_MOST_TILE_BYTES = 1 << 31
_BELIEVED_TILE_BYTES, _LARGEST_RATIO = 1 << 25, 1100
"""A larger tile is unpacked only from so much of the file."""

_SAMPLE_BYTES = {0: 1, 1: 2, 2: 4, 3: 3, 4: 6, 8: 12, 9: 4, 10: 8, 11: 24, 12: 4, 13: 8}
"""Bytes of a pixel, by the number of its type."""


def check_directory(path: Path) -> None:
    """Check header, directory and the head of every tile.

    Raises
    ------
    ImageError
        If one leads out of the file, or states what cannot be.
    """
    if path.stat().st_size < 512:
        raise _damaged(path, "a header of 512 bytes", f"{path.stat().st_size} bytes")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            _File(path, data).check()
        except struct.error as error:
            raise _damaged(path, "segments inside the file", "one that ends beyond it") from error


def _damaged(path: Path, expected: str, got: str) -> ImageError:
    return ImageError(f"{path}: expected {expected}, got {got}; the file is damaged, copy it again")


@dataclass(frozen=True)
class _File:
    path: Path
    data: mmap.mmap

    def check(self) -> None:
        self._segment(0, b"ZISRAWFILE", 80)
        directory, metadata = struct.unpack_from("<QQ", self.data, 32 + 52)
        attachments = struct.unpack_from("<Q", self.data, 32 + 72)[0]
        if metadata:
            start = self._segment(metadata, b"ZISRAWMETADATA", 256)
            sizes = struct.unpack_from("<II", self.data, start)
            self._holds(start, 256 + sum(sizes), "the metadata")
        if attachments:
            self._segment(attachments, b"ZISRAWATTDIR", 256)
        start = self._segment(directory, b"ZISRAWDIRECTORY", 128)
        place = start + 128
        for _ in range(struct.unpack_from("<I", self.data, start)[0]):
            place = self._entry(place, tile=True)

    def _segment(self, place: int, name: bytes, least: int) -> int:
        """Where the data of a segment begin, which must be of that name and inside the file."""
        if place + _HEAD.size > len(self.data):
            raise _damaged(self.path, f"{name.decode()} inside the file", f"byte {place} of {len(self.data)}")
        found, allocated, used = _HEAD.unpack_from(self.data, place)
        if found.rstrip(b"\0") != name:
            raise _damaged(self.path, f"{name.decode()} at byte {place}", repr(found.rstrip(b"\0"))[1:])
        self._holds(place + _HEAD.size, max(allocated, used, least), name.decode())
        return place + _HEAD.size

    def _holds(self, start: int, n_bytes: int, what: str) -> None:
        if start + n_bytes > len(self.data):
            raise _damaged(self.path, f"{start + n_bytes} bytes for {what}", f"{len(self.data)}")

    def _entry(self, place: int, *, tile: bool) -> int:
        """Check an entry and, if it is of the directory, the head of its tile; where the entry ends."""
        schema, kind, position, _, compression, _, _, n_dimensions = _ENTRY.unpack_from(self.data, place)
        if schema != b"DV" or not 0 < n_dimensions <= _MOST_DIMENSIONS:
            raise _damaged(self.path, "entries of tiles in the directory", f"{schema!r} with {n_dimensions} dimensions")
        place += _ENTRY.size
        stored = {}
        for number in range(n_dimensions):
            label, start, size, _, stored_size = _DIMENSION.unpack_from(self.data, place + number * _DIMENSION.size)
            name = label.rstrip(b"\0 ").decode("latin-1")
            least = 1 if name in ("X", "Y") else 0
            if name not in _DIMENSIONS or not (abs(start) <= _LARGEST and least <= size <= _LARGEST):
                raise _damaged(self.path, "a dimension of a tile", f"{name!r} from {start} of length {size}")
            if not 0 <= stored_size <= _LARGEST:
                raise _damaged(self.path, "a dimension of a tile", f"{name!r} of stored length {stored_size}")
            stored[name] = stored_size or size
        n_bytes = stored.get("X", 0) * stored.get("Y", 0) * _SAMPLE_BYTES.get(kind, 24)
        if not 0 < n_bytes <= _MOST_TILE_BYTES:
            raise _damaged(self.path, f"tiles of at most {_MOST_TILE_BYTES} bytes", f"{n_bytes}")
        if tile:
            self._tile(position, n_bytes, is_packed=compression != 0)
        return place + n_dimensions * _DIMENSION.size

    def _tile(self, position: int, decoded: int, *, is_packed: bool) -> None:
        if position < 0:
            raise _damaged(self.path, "tiles inside the file", f"byte {position}")
        start = self._segment(position, b"ZISRAWSUBBLOCK", 16)
        metadata, attachment, n_bytes = struct.unpack_from("<IIQ", self.data, start)
        end = self._entry(start + 16, tile=False)
        self._holds(max(start + 256, end), metadata + attachment + n_bytes, "a tile")
        if decoded > _BELIEVED_TILE_BYTES and decoded > (_LARGEST_RATIO if is_packed else 1) * n_bytes:
            raise _damaged(self.path, f"a tile of {decoded} bytes", f"{n_bytes} in the file")

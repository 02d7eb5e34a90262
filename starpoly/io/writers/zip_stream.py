"""Write a zip of many small files in one pass."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

_LEVEL = 6
_MANY, _LARGE = 0xFFFF, 0xFFFFFFFF  # what the fields of the first zips hold; beyond, zip64 says
_DATE = (1 << 5) | 1  # 1980-01-01, the first that a zip knows: the hour is nothing of the contents
_UNIX, _UTF8, _DEFLATE = 3 << 8, 1 << 11, 8
_READABLE = 0o644 << 16


class ZipStream:
    """Adds files to a zip; keeps only the directory entry of each, 46 bytes plus the name.

    The standard library's writer keeps half a kilobyte per file. Equal files give equal bytes.

    Parameters
    ----------
    file : binary file
        Open to write; left open.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._directory = bytearray()
        self._offset = self._count = 0

    def add(self, name: str, content: bytes) -> None:
        """Add a file of less than 4 GB."""
        encoded = name.encode()
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = deflate.compress(content) + deflate.flush()
        version = 45 if self._offset >= _LARGE else 20
        common = struct.pack(
            "<5H3L", version, _UTF8, _DEFLATE, 0, _DATE, zlib.crc32(content), len(packed), len(content)
        ) + struct.pack("<H", len(encoded))
        extra = struct.pack("<2HQ", 1, 8, self._offset) if self._offset >= _LARGE else b""
        self._directory += b"PK\x01\x02" + struct.pack("<H", _UNIX | version) + common
        self._directory += (
            struct.pack("<4H2L", len(extra), 0, 0, 0, _READABLE, min(self._offset, _LARGE)) + encoded + extra
        )
        self._write(b"PK\x03\x04" + common + struct.pack("<H", 0) + encoded + packed)
        self._count += 1

    def finish(self) -> None:
        """Write the directory; without it there is no zip."""
        start, size = self._offset, len(self._directory)
        self._write(bytes(self._directory))
        if self._count >= _MANY or start >= _LARGE or size >= _LARGE:
            end = self._offset
            counts = struct.pack("<4Q", self._count, self._count, size, start)
            self._write(b"PK\x06\x06" + struct.pack("<Q2H2L", 44, _UNIX | 45, 45, 0, 0) + counts)
            self._write(b"PK\x06\x07" + struct.pack("<LQL", 0, end, 1))
        count = min(self._count, _MANY)
        self._write(b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, count, count, min(size, _LARGE), min(start, _LARGE), 0))

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._offset += len(content)

"""Compound files, in which OIB keeps its planes: refuse what would be followed for ever."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError

MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first bytes of a compound file."""

_LAST_SECTOR = 0xFFFFFFFA


def is_compound_file(path: Path) -> bool:
    """Whether a file is one."""
    with open(path, "rb") as file:
        return file.read(len(MARK)) == MARK


def check_compound_file(path: Path) -> None:
    """Refuse a file in whose tables a chain of sectors leads back to itself.

    Raises
    ------
    ImageError
        If there is one, or the tables reach beyond the file.
    """
    with open(path, "rb") as file:
        head = file.read(512)
        if len(head) < 512:
            raise ImageError(f"{path}: expected a whole file, got {len(head)} bytes; copy it again")
        shift, n_fat = struct.unpack("<H", head[30:32])[0], struct.unpack("<I", head[44:48])[0]
        sector = 1 << shift if shift in (9, 12) else 0
        n_sectors = path.stat().st_size // sector if sector else 0
        if n_fat > n_sectors:
            raise ImageError(
                f"{path}: expected at most {n_sectors} sectors of tables, got {n_fat}; the file is damaged"
            )

        def read(number: int) -> NDArray:
            file.seek((number + 1) * sector)
            return np.frombuffer(file.read(sector), "<u4")

        tables = list(struct.unpack("<109I", head[76:512]))
        following, n_more = struct.unpack("<II", head[68:76])
        for _ in range(min(n_more, n_sectors)):
            more = read(following)
            if more.size == 0:
                break
            tables += [int(entry) for entry in more[:-1]]
            following = int(more[-1])
        fat = np.concatenate([np.zeros(0, "<u4"), *(read(number) for number in tables[:n_fat])])
        first_small, n_small = struct.unpack("<II", head[60:68])
    _check_ends(fat, path)
    _check_ends(_chain(path, sector, fat, first_small, min(n_small, n_sectors)), path)


def _chain(path: Path, sector: int, fat: NDArray, number: int, n_sectors: int) -> NDArray:
    """The table of small sectors, which lies in sectors of its own."""
    parts = [np.zeros(0, "<u4")]
    with open(path, "rb") as file:
        while len(parts) <= n_sectors and number < len(fat):
            file.seek((number + 1) * sector)
            parts.append(np.frombuffer(file.read(sector), "<u4"))
            number = int(fat[number])
    return np.concatenate(parts)


def _check_ends(table: NDArray, path: Path) -> None:
    """Follow all chains at once, twice as far each time: those that go on after as many steps as there are sectors are rings."""
    n = len(table)
    after = np.append(np.where((table <= _LAST_SECTOR) & (table < n), table, n).astype(np.int64), n)
    for _ in range(n.bit_length() + 1):
        after = after[after]
    if (after != n).any():
        raise ImageError(f"{path}: expected chains of sectors that end, got a ring; the file is damaged, copy it again")

"""Archives of arrays (npz) that may come from elsewhere: what they claim is compared with what they hold before anything is read."""

from __future__ import annotations

import lzma
import stat
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

_LARGEST_RATIO, _SPARE_BYTES = 20, 64 << 20
"""Bytes unpacked per byte stored, and bytes that any archive may unpack."""
_MOST_ENTRIES = 1 << 16
UNREADABLE = (
    OSError, EOFError, KeyError, ValueError, TypeError, SyntaxError, RuntimeError, zipfile.BadZipFile, tokenize.TokenError,
    zlib.error, lzma.LZMAError,
)  # fmt: skip
"""Errors of reading a damaged archive, or one that is packed or locked in a way that nobody knows."""


@contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """An archive that is open inside the block; its arrays are read on demand, and none holds objects.

    Raises
    ------
    OSError
        If it is no regular file: a pipe would be waited for.
    ValueError, BadZipFile
        If its entries claim to unpack to far more than the file holds.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path} is no regular file")
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    claimed = sum(entry.file_size for entry in entries)
    most = _LARGEST_RATIO * found.st_size + _SPARE_BYTES
    if len(entries) > _MOST_ENTRIES or claimed > most:
        raise ValueError(
            f"{len(entries)} arrays that claim {claimed} bytes; expected at most {_MOST_ENTRIES} of {most}"
        )
    with np.load(path, allow_pickle=False) as file:
        yield file


def read_text(file: NpzFile, name: str, largest: int) -> str:
    """A text in an archive.

    Raises
    ------
    ValueError
        If it is no text, or takes more than ``largest`` bytes.
    """
    assert file.zip is not None  # it is open
    with file.zip.open(f"{name}.npy") as entry:
        version = np.lib.format.read_magic(entry)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(entry)
    if shape != () or dtype.kind != "U" or dtype.itemsize > largest:
        raise ValueError(f"expected a text of at most {largest} bytes, got {dtype} of shape {shape}")
    return str(file[name])

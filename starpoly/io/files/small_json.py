"""Small JSON files, read with distrust."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from ...errors import ImageError
from .url import UrlPath


def read_small_json(path: Path, largest: int) -> Any:
    """The content of a JSON file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Parameters
    ----------
    path : Path
    largest : int
        Bytes that are read.

    Raises
    ------
    OSError
        If it is no regular file (a pipe would be waited for), or cannot be read.
    ValueError
        If it is no JSON, too large or nested too deeply.
    """
    content = _read_url(path, largest) if isinstance(path, UrlPath) else _read_file(path, largest)
    if len(content) > largest:
        raise ValueError(f"more than {largest} bytes")
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _read_file(path: Path, largest: int) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no regular file")
    with open(path, "rb") as file:
        return file.read(largest + 1)


def _read_url(path: UrlPath, largest: int) -> bytes:
    from ..readers.zarr_remote import open_remote

    try:
        return open_remote(path.parent).read_small(path.name, largest)
    except ImageError as error:
        raise OSError(str(error)) from error

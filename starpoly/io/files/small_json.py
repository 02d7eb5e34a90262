"""Small JSON files beside images, read with distrust."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from ...errors import ImageError
from .url import UrlPath


def read_small_json(path: Path, largest: int) -> Any:
    """The content of a JSON file.

    Parameters
    ----------
    path : Path
    largest : int
        Characters that are read; what is cut off is no JSON.

    Raises
    ------
    OSError
        If it is no regular file (a pipe would be waited for), or cannot be read.
    ValueError
        If it is no JSON, or nested too deeply.
    """
    text = _read_url(path, largest) if isinstance(path, UrlPath) else _read_file(path, largest)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _read_file(path: Path, largest: int) -> str:
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no regular file")
    with open(path, encoding="utf-8-sig") as file:
        return file.read(largest)


def _read_url(path: UrlPath, largest: int) -> str:
    from ..readers.zarr_remote import open_remote

    try:
        return open_remote(path.parent).read_small(path.name, largest).decode("utf-8-sig")
    except ImageError as error:
        raise OSError(str(error)) from error

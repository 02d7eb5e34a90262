"""Small JSON files, read with distrust."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any


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
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no regular file")
    with open(path, "rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"more than {largest} bytes")
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error

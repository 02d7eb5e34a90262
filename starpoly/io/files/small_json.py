"""Small JSON files beside images, read with distrust."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any


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
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no regular file")
    with open(path, encoding="utf-8-sig") as file:
        text = file.read(largest)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error

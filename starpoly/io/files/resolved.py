"""Where a path leads."""

from __future__ import annotations

import os
from pathlib import Path

from .url import UrlPath


def resolved(path: Path) -> Path:
    """The absolute path with links followed, where they lead somewhere: a link to itself stays.

    ``Path.resolve`` fails at such a link before Python 3.13. URLs are as they are.
    """
    return path if isinstance(path, UrlPath) else Path(os.path.realpath(path))

"""Mark in a label file that says of which content its image was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

#: TIFF's DocumentName: what an image was made from.
_TAG = 269
_WORDS = "starpoly image "
_MARK = re.compile(_WORDS.encode() + rb"([0-9a-f]{64})\0")
#: Tags come in order and before the pixels, so that no description and no tile lies before the mark.
_WITHIN = 4096  # bytes
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def origin_tags(origin: str | None) -> dict[str, Any]:
    """What tifffile is to write on the first page.

    Parameters
    ----------
    origin : str, optional
        Hash that tells the content from others, see :func:`starpoly.io.files.identity.origin_of`. None for no mark.
    """
    return {} if origin is None else {"extratags": [(_TAG, "s", 0, _WORDS + origin, True)]}


def read_origin(path: Path) -> str | None:
    """The hash of the content that a label file names; None where it names none or cannot be read."""
    found = _MARK.search(_beginning(path))
    return None if found is None else found[1].decode()


def begins_as_tiff(path: Path) -> bool:
    """Whether a file begins as TIFFs do."""
    return _beginning(path)[:4] in _TIFF


def _beginning(path: Path) -> bytes:
    """Of a regular file; nothing of what is none or cannot be read."""
    try:
        if not path.is_file():
            return b""
        with open(path, "rb") as file:
            return file.read(_WITHIN)
    except OSError:
        return b""

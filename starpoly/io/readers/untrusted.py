"""Untrusted files: convert decoder errors to one line, refuse impossible headers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import ImageError, TooLargeError
from ..files.url import UrlPath

_OF_PYTHON = (LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, UnicodeError)


@contextmanager
def decoding(name: object, what: str = "a whole image file") -> Iterator[None]:
    """Turn any error inside the block into an :class:`ImageError` about ``name``, a TooLargeError where memory ends.

    Parameters
    ----------
    name : str or Path
        The file, with which the message starts.
    what : str
        What is decoded.
    """
    try:
        yield
    except ImageError as error:
        if not str(error) or Path(str(name)).name in str(error).partition(": ")[0]:
            raise
        raise type(error)(f"{name}: {error}") from error
    except MemoryError as error:
        message = f"{name}: expected an image that fits into memory, got one too large; crop it or free memory"
        raise TooLargeError(message) from error
    except Exception as error:
        # a decoder that runs over damage says nothing of the file, such as "list index out of range"
        detail = "" if isinstance(error, _OF_PYTHON) else " ".join(str(error).split())[:120]
        unknown = "COMPRESSION" in detail  # as tifffile names those without a decoder
        remedy = "upgrade imagecodecs, or save it with another compression" if unknown else "copy or export it again"
        reason = f" ({detail})" if detail else ""
        raise ImageError(f"{name}: expected {what}, got one that cannot be decoded{reason}; {remedy}") from error


_BELIEVED_BYTES = 1 << 28
"""Pixels of an empty image of 16 000 x 16 000 that a file of any size may hold."""


def check_claim(n_bytes: int, path: Path) -> None:
    """Refuse a header that claims far more pixels than the file or folder can hold (deflate packs at most 1:1032)."""
    if n_bytes <= _BELIEVED_BYTES or isinstance(path, UrlPath):  # what lies at a URL is not counted
        return
    size = size_on_disk(path)
    if n_bytes > 1100 * size:
        raise ImageError(
            f"{path}: expected at most {1100 * size} bytes of pixels in a file of {size}, got a header for {n_bytes}"
        )


def size_on_disk(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(path) for name in names)

"""Untrusted files: convert decoder errors to one line, refuse impossible headers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import ImageError, TooLargeError


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
    except ImageError:
        raise
    except MemoryError as error:
        message = f"{name}: expected an image that fits into memory, got one too large; crop it or free memory"
        raise TooLargeError(message) from error
    except Exception as error:
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        raise ImageError(
            f"{name}: expected {what}, got one that cannot be decoded ({detail}); copy or export it again"
        ) from error


def check_claim(n_bytes: int, path: Path) -> None:
    """Refuse a header that claims far more pixels than the file can hold (deflate packs at most 1:1032)."""
    size = path.stat().st_size
    if n_bytes > 1 << 30 and n_bytes > 1100 * size:
        raise ImageError(
            f"{path}: expected at most {1100 * size} bytes of pixels in a file of {size}, got a header for {n_bytes}"
        )

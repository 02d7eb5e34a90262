"""Images elsewhere: a URL as a path, so that names, folders around it and fields within it are found as those of files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import unquote, urlsplit

from ...errors import ImageError, ImageTypeError

if TYPE_CHECKING:
    _Local = Path
else:
    _Local = type(Path())  # the kind of this system: a Path itself cannot be subclassed before Python 3.12

#: A scheme has two letters at least: one is a drive.
_URL = re.compile(r"[a-z][a-z0-9+.-]+:(//|:[a-z0-9+.-]+:)", re.IGNORECASE)
#: What is left of it in a path that was made of one.
_COLLAPSED = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)


class UrlPath(_Local):
    """The URL of a zarr; nothing on this machine's disk. Made by :func:`as_path`."""

    def __str__(self) -> str:
        scheme, _, rest = super().__str__().replace(os.sep, "/").partition(":/")
        return f"{scheme}://{rest}"

    def __fspath__(self) -> str:
        return str(self)

    @property
    def scheme(self) -> str:
        """Such as ``s3``."""
        return str(self).partition(":")[0].lower()

    def absolute(self) -> UrlPath:
        """Itself: a URL depends on no folder."""
        return self

    def resolve(self, strict: bool = False) -> UrlPath:
        """Itself."""
        return self


def is_url(given: object) -> TypeGuard[str]:
    """Whether something is the text of a URL, such as ``s3://bucket/image.zarr``."""
    return isinstance(given, str) and _URL.match(given) is not None


def as_path(given: str | os.PathLike[str]) -> Path:
    """The path of a file or folder, or of a URL: a :class:`UrlPath`.

    Parameters
    ----------
    given : str or Path
        ``file://`` is a path of this machine. Paths of a URL, whose slashes ``Path`` has joined, are URLs.

    Raises
    ------
    ImageTypeError
        If it is none of these.
    ImageError
        If a URL holds a password, a query, a chain of file systems or a machine where it must not.
    """
    if isinstance(given, UrlPath):
        return given
    if not isinstance(given, str | os.PathLike):
        raise ImageTypeError(f"expected a path or a URL, got {type(given).__name__}")
    path = Path(given)
    if is_url(given):
        return _of_url(given)
    if path.parts and _COLLAPSED.fullmatch(path.parts[0]) and not os.path.lexists(path.parts[0]):
        return _of_url("://".join(path.as_posix().split(":/", 1)))
    return path


def _of_url(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme.lower() in ("file", "local"):
        if parts.netloc not in ("", "localhost"):
            raise ImageError(
                f"{url}: expected a file of this machine, as in file:///data/a.zarr, got one of {parts.netloc}"
            )
        return Path(unquote(parts.path))
    if parts.password is not None:
        raise ImageError(
            f"{parts.scheme}://{parts.hostname}: expected a URL without a password, got one with; give it in the "
            "configuration of fsspec or of the package for this scheme"
        )
    if parts.query or parts.fragment or "::" in url:
        raise ImageError(
            f"{url}: expected the URL of a zarr, got one with ?, # or ::; name the folder of the zarr alone"
        )
    return UrlPath(url)

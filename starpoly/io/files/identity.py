"""Fingerprints of images, from samples of their content."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...tiling import Box
from ..readers.source import Source
from ..readers.zarr import marks_of
from .resolved import resolved
from .url import UrlPath, as_path

_WHOLE = 1 << 24  # bytes up to which the whole content is hashed
_SAMPLES = 256  # number of evenly spaced samples of a larger file
_SAMPLE_BYTES = 1 << 16
_FEW, _FEW_BYTES = 16, 1 << 14  # samples that tell a file from others of its name
_SAMPLE_SIDE = 128  # pixels of the samples of a larger array
_METADATA = (".json", ".zarray", ".zgroup", ".zattrs")


def identify(image: Any, source: Source) -> dict[str, Any]:
    """Identify an image by its metadata and a content hash.

    Parameters
    ----------
    image : path, Source or array-like
        The image as given.
    source : Source
        The opened image.

    Returns
    -------
    dict of JSON types
        ``shape`` and ``dtype``. Files add ``name``, ``size``, ``date`` and ``content``, a hash of evenly spaced
        samples. Zarrs add ``name`` and ``content``, a hash of the metadata and of the chunks' names, sizes and dates;
        at a URL of some chunks' sizes, dates and versions.
        Arrays add ``content``, a hash of sampled pixels.

    Raises
    ------
    ImageError
        If a file cannot be read.
    """
    marks: dict[str, Any] = {"shape": list(source.shape), "dtype": str(source.dtype)}
    if not isinstance(image, str | Path):
        return marks | {"content": _hash(_pixels(source))}
    try:
        return marks | _identify_file(resolved(as_path(image)))
    except OSError as error:
        raise _unreadable(image, error) from error


def _unreadable(image: object, error: OSError) -> ImageError:
    return ImageError(f"{image}: cannot be read ({error.strerror or error})")


def origin_of(image: Any) -> str | None:
    """A hash that tells a file's content from others, quick to find: of its size and of a few samples.

    Parameters
    ----------
    image : path, Source or array-like

    Returns
    -------
    str or None
        64 hexadecimal digits. None of arrays, folders and URLs, which no hash of a file tells apart.

    Raises
    ------
    ImageError
        If a file cannot be read.
    """
    path = resolved(as_path(image)) if isinstance(image, str | Path) else None
    if path is None or isinstance(path, UrlPath) or not path.is_file():
        return None
    try:
        size = path.stat().st_size
        return _hash([str(size).encode(), *_samples(path, size, _FEW * _FEW_BYTES, _FEW, _FEW_BYTES)])
    except OSError as error:
        raise _unreadable(image, error) from error


def _identify_file(path: Path) -> dict[str, Any]:
    if isinstance(path, UrlPath):
        return {"name": path.name, "content": _hash(marks_of(path))}
    if path.is_dir():
        return {"name": path.name, "content": _hash(_listing(path))}
    status = path.stat()
    parts = path.with_suffix("")  # the folder of a MIRAX slide
    has_parts = path.suffix.lower() == ".mrxs" and parts.is_dir()
    samples = _samples(path, status.st_size, _WHOLE, _SAMPLES, _SAMPLE_BYTES)
    content = [*samples, *(_listing(parts) if has_parts else ())]
    return {
        "name": path.name,
        "size": status.st_size,
        "date": _date(status.st_mtime_ns),
        "content": _hash(content),
    }


class InputWatch:
    """Tells whether an image is still the one that it was when it was opened.

    Parameters
    ----------
    image : path, Source or array-like
        As given, before anything of it is read. Only files and folders are watched.
    """

    def __init__(self, image: Any) -> None:
        self._path = resolved(as_path(image)) if isinstance(image, str | Path) else None
        self._marks = self._look()

    def has_changed(self) -> bool:
        """Whether the image is another one now, or gone."""
        if self._path is None or (now := self._look()) == self._marks:
            return False
        return now is not None or not os.path.lexists(self._path)  # what cannot be read just now may be the same

    def check(self) -> None:
        """Look at the image again, before results get their names.

        Raises
        ------
        ImageError
            If its content differs from what it was.
        """
        if self._path is not None and self._marks != (now := self._look()):
            got = "nothing there" if now is None else "another content or date now"
            raise ImageError(
                f"{self._path}: expected the image not to change while it is read, got {got}; no result is kept, "
                "predict it again once it is written completely"
            )

    def _look(self) -> dict[str, Any] | None:
        if self._path is None or not (isinstance(self._path, UrlPath) or self._path.is_file() or self._path.is_dir()):
            return None
        try:
            marks = _identify_file(self._path)
        except (OSError, ImageError):
            return None
        if marks.get("size", _WHOLE + 1) <= _WHOLE:
            marks.pop("date")  # the content is known as a whole
        return marks


@contextmanager
def discarded_if_changed(watch: InputWatch | None, discard: Callable[[], None]) -> Iterator[None]:
    """Discard the state of a run whose block fails if its image has changed meanwhile: nothing can go on from it."""
    try:
        yield
    except BaseException:
        if watch is not None and watch.has_changed():
            discard()
        raise


def _date(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))}.{rest:09} UTC"


def _hash(parts: Any) -> str:
    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _samples(path: Path, size: int, whole: int, n: int, n_bytes: int) -> Iterator[bytes]:
    """The content of a file of up to ``whole`` bytes, else ``n`` evenly spaced samples of ``n_bytes``."""
    with open(path, "rb") as file:
        if size <= whole:
            yield file.read()
            return
        for start in np.linspace(0, size - n_bytes, n).astype(np.int64).tolist():
            file.seek(start)
            yield file.read(n_bytes)


def _listing(folder: Path) -> Iterator[bytes]:
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(place, name)
            status = path.stat()
            yield repr((path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns)).encode()
            if name.endswith(_METADATA) and stat.S_ISREG(status.st_mode):
                yield path.read_bytes()


def _pixels(source: Source) -> Iterator[bytes]:
    height, width = source.shape[:2]
    if source.nbytes <= _WHOLE:
        yield source[:, :].tobytes()
        return
    side = round(_SAMPLES**0.5)
    for y in np.linspace(0, max(0, height - _SAMPLE_SIDE), side).astype(int).tolist():
        for x in np.linspace(0, max(0, width - _SAMPLE_SIDE), side).astype(int).tolist():
            yield source[Box(y, x, y + _SAMPLE_SIDE, x + _SAMPLE_SIDE).clip((height, width)).slices].tobytes()

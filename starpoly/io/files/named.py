"""Outputs that the user names one by one: a file, or a pipe or device that is written into."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .atomic import check_free, not_written


def is_stream(path: str | Path) -> bool:
    """Whether a name is that of a pipe or a terminal, of ``/dev/null`` and the like, or of this process's stdout or stderr."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):
        return True
    return Path(path).is_symlink() and _own_descriptor(status) is not None


def check_named(path: str | Path) -> None:
    """Refuse a name that can be neither written into nor replaced, before any work is done.

    Raises
    ------
    OutputError
        If it is a folder, a link to a file or folder, a disk or a socket.
    """
    if not is_stream(path):
        check_free(Path(path))


@contextmanager
def named_output(path: str | Path) -> Iterator[Path]:
    """The path to write a named output to: itself, or a temporary one whose contents then go into the pipe or device.

    Raises
    ------
    OutputError
        As :func:`check_named`, or if the stream cannot be written.
    """
    path = Path(path)
    check_named(path)
    if not is_stream(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="starpoly") as folder:
        temporary = Path(folder, path.name)
        yield temporary
        try:
            _pour(temporary, path)
        except OSError as error:
            raise not_written(path, error) from error


def _pour(temporary: Path, path: Path) -> None:
    descriptor = _own_descriptor(os.stat(path))
    target: str | Path | int = path if descriptor is None else os.dup(descriptor)
    with open(temporary, "rb") as source, open(target, "wb") as stream:
        shutil.copyfileobj(source, stream)


def _own_descriptor(status: os.stat_result) -> int | None:
    """Stdout or stderr, if they are what was found."""
    for descriptor in (1, 2):
        try:
            if os.path.samestat(status, os.fstat(descriptor)):
                return descriptor
        except OSError:
            continue
    return None

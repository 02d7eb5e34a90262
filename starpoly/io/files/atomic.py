"""Atomic writing of files."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ...errors import OutputError
from .lock import locked

_LONGEST_NAME = 200  # bytes; file systems allow 255, and a suffix is added


@contextmanager
def atomic_path(path: str | Path, *, sync: bool = True) -> Iterator[Path]:
    """A temporary path beside ``path``, renamed to it when the block succeeds.

    If the block raises, the temporary file is removed and ``path`` stays unchanged. The next writer of the same file
    removes leftovers of a killed process.

    Parameters
    ----------
    path : str or Path
    sync : bool
        Flush to disk before renaming. Contents then survive a power loss, and a full disk raises its error.
    """
    path = Path(path)
    with reserved(path) as temporary:
        yield temporary
        if sync:
            flush(temporary)
        os.replace(temporary, path)


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """Like :func:`atomic_path`; an OSError becomes a one-line OutputError."""
    path = Path(path)
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise not_written(path, error) from error


def make_folder(path: Path) -> None:
    """Create a results folder with its parents; an OSError becomes a one-line OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> OutputError:
    """The OutputError for a failed write."""
    return OutputError(
        f"{path}: cannot be written ({error.strerror or error}); "
        "free space or choose another folder, then repeat the command"
    )


@contextmanager
def reserved(path: Path) -> Iterator[Path]:
    """Reserve the hidden name ``.NAME.part`` beside ``path`` for the block; remove the file before and after."""
    with ExitStack() as stack:
        try:
            alone = stack.enter_context(locked(beside(path, "lock")))
        except BlockingIOError:  # another process writes the same file: use separate names, the last one wins
            alone = False
        temporary = beside(path, "part" if alone else f"{uuid.uuid4().hex[:12]}.part")
        remove(temporary)
        try:
            yield temporary
        finally:
            remove(temporary)


def beside(path: Path, ending: str) -> Path:
    """A hidden name beside ``path``."""
    name = path.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.with_name(f".{name}.{ending}")


def flush(path: Path) -> None:
    """Flush a file, or all files under a folder, to disk.

    Raises
    ------
    OSError
        If the disk cannot store them.
    """
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with open(file, "rb+") as stream:
                os.fsync(stream.fileno())


def remove(path: Path) -> None:
    """Remove a file or folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

"""Files that appear under their name whole or not at all."""

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

_LONGEST_NAME = 200  # bytes; file systems take 255, and something is added


@contextmanager
def atomic_path(path: str | Path, *, sync: bool = True) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block ends well.

    When the block raises, the temporary file is removed and ``path`` is left as it was. The next
    process that writes the same file removes what a killed one left.

    Parameters
    ----------
    path : str or Path
    sync : bool
        Wait until the disk has the contents before they get their name, so that they outlive a loss of power, and the
        error of a disk that only then runs full is raised.
    """
    path = Path(path)
    with reserved(path) as temporary:
        yield temporary
        if sync:
            flush(temporary)
        os.replace(temporary, path)


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """As :func:`atomic_path`; whatever the disk objects to becomes an OutputError of one line."""
    path = Path(path)
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise not_written(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder for results, and those above it; an OSError becomes an OutputError of one line."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> OutputError:
    """What to say when the disk refuses a result."""
    return OutputError(
        f"{path}: cannot be written ({error.strerror or error}); "
        "free space or choose another folder, then repeat the command"
    )


@contextmanager
def reserved(path: Path) -> Iterator[Path]:
    """The hidden name ``.NAME.part`` beside ``path``, for this block alone; nothing has that name before and after."""
    with ExitStack() as stack:
        try:
            alone = stack.enter_context(locked(beside(path, "lock")))
        except BlockingIOError:  # another process writes the same file: each its own, and the last one stays
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
    """Wait until the disk has the contents of a file, or of all files under a folder.

    Raises
    ------
    OSError
        If it cannot take them.
    """
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with open(file, "rb+") as stream:
                os.fsync(stream.fileno())


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

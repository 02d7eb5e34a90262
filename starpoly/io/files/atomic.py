"""Atomic writing of files."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import time
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ...errors import OutputError
from .lock import locked

_PAUSES = (0.0, 0.01, 0.05, 0.25)
"""Seconds before each attempt to remove a folder."""

_REPEAT = "free space or choose another folder, then repeat the command"
_NO_MATTER_OF_SPACE = (errno.ENOTDIR, errno.EPERM, errno.EACCES, errno.EROFS)
_HASH_BYTES = 8  # of hidden names: short enough beside any name, and no two of a folder are alike
_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


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

    Raises
    ------
    OSError
        If it cannot be written, or ``path`` is something else than a file: a link is neither followed nor replaced.
    """
    path = Path(path)
    check_replaceable(path)
    with reserved(path) as temporary:
        yield temporary
        if sync:
            flush(temporary)
        check_replaceable(path)
        os.replace(temporary, path)


def check_replaceable(path: Path) -> None:
    """Refuse a name of something that is no regular file, such as a link, a folder, a pipe or a device.

    Raises
    ------
    FileExistsError
    """
    try:
        kind = stat.S_IFMT(os.lstat(path).st_mode)
    except (OSError, ValueError):  # nothing is there, or writing will tell
        return
    if kind != stat.S_IFREG:
        expected = f"expected a file or a free name, got {_KINDS.get(kind, 'something else')}"
        raise FileExistsError(errno.EEXIST, expected, str(path))


def check_free(path: Path) -> None:
    """:func:`check_replaceable`, before any work is done for the file.

    Raises
    ------
    OutputError
    """
    try:
        check_replaceable(path)
    except FileExistsError as error:
        raise not_written(path, error) from error


@contextmanager
def new_file(path: str | Path, remedy: str = _REPEAT) -> Iterator[Path]:
    """Like :func:`atomic_path`; an OSError becomes a one-line OutputError, which ends in the remedy."""
    path = Path(path)
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise not_written(path, error, remedy) from error


def remove_earlier(path: Path) -> None:
    """Remove the result of an earlier run, if there is one; an OSError becomes a one-line OutputError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def make_folder(path: Path, remedy: str = _REPEAT) -> None:
    """Create a results folder with its parents; an OSError becomes a one-line OutputError, which ends in the remedy."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise no_folder(path) from error
    except OSError as error:
        raise not_written(path, error, remedy) from error


def no_folder(path: Path) -> OutputError:
    """The OutputError for what is there in place of a folder."""
    got = _KINDS.get(stat.S_IFMT(os.lstat(path).st_mode), "a file")
    return OutputError(f"{path}: expected a folder or a free name, got {got}; choose another name")


def not_written(path: Path, error: OSError, remedy: str = _REPEAT) -> OutputError:
    """The OutputError for a failed write."""
    if isinstance(error, FileExistsError):  # of check_replaceable
        return OutputError(f"{path}: {error.strerror}; remove it or choose another name")
    if error.errno == errno.ENAMETOOLONG:
        remedy = "give the image a shorter name"
    elif error.errno in _NO_MATTER_OF_SPACE and remedy == _REPEAT:
        remedy = "choose another folder"
    return OutputError(f"{path}: cannot be written ({error.strerror or error}); {remedy}")


@contextmanager
def reserved(path: Path) -> Iterator[Path]:
    """Reserve a hidden name beside ``path`` for the block; remove the file before and after."""
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
    """A hidden name beside ``path``: a short hash of its name, which no disk finds too long, and ``ending``.

    Names that differ in capital letters or in the form of accents alone share it, as they share a file on some disks.
    """
    name = unicodedata.normalize("NFC", path.name).casefold()
    code = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).hexdigest()
    return path.with_name(f".{code}.{ending}")


def make_own_folder(path: Path) -> None:
    """Create a folder inside one of ours, perhaps with parents; it must not be a link to elsewhere.

    Raises
    ------
    OSError
        If it cannot be created, or something else has its name.
    """
    path.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        raise FileExistsError(errno.EEXIST, "expected a folder of ours, got a link", str(path))


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
    """Remove a file or folder, if it exists.

    After an error other threads may still be writing a chunk into a folder, which is then not empty: it is removed again.
    """
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for pause in _PAUSES:
        time.sleep(pause)
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return

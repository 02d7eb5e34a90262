"""Locks between processes, released at process exit in any case."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(path: str | Path) -> Iterator[bool]:
    """Hold a lock while the block runs.

    Parameters
    ----------
    path : str or Path
        Lock file, created here and removed afterwards. Leftovers of a killed process have no effect.

    Yields
    ------
    bool
        Whether the lock is held; False if the file system or the file's owner does not allow locks.

    Raises
    ------
    BlockingIOError
        If another process, or another block of this process, holds it.
    """
    descriptor = None if fcntl is None else _acquire(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            with suppress(OSError):
                os.unlink(path)  # remove it while the lock is held: it is certainly ours
            os.close(descriptor)


def _acquire(path: str | Path) -> int | None:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(path)
            return None
        os.close(descriptor)  # the previous holder removed this file


def _is_at(descriptor: int, path: str | Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False

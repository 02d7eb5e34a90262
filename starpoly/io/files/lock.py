"""Locks between processes, released when the process ends, however it ends."""

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
        A file that is made for the purpose and removed afterwards. What a killed process left of it counts for nothing.

    Yields
    ------
    bool
        Whether the lock is held; False where the file system, or the file's owner, does not allow it.

    Raises
    ------
    BlockingIOError
        If another process has it, or another block of this one.
    """
    descriptor = None if fcntl is None else _acquire(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            with suppress(OSError):
                os.unlink(path)  # while it is held, so that nobody's but ours is removed
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
        os.close(descriptor)  # its holder removed it before letting go


def _is_at(descriptor: int, path: str | Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False

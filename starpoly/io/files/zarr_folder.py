"""Atomic writing of zarr folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import OutputError
from .atomic import flush, not_written, remove, reserved
from .naming import holds_labels


@contextmanager
def new_zarr_folder(path: str | Path) -> Iterator[Path]:
    """A hidden folder beside ``path``, renamed to it when the block succeeds.

    An existing zarr of labels is replaced; anything else is never touched. A folder cannot be replaced in one step, so the old
    one briefly gets a hidden name. If the process is killed then, the next writer restores it.

    Raises
    ------
    ImageError
        If the name belongs to something other than a zarr of labels, or writing fails.
    """
    path = Path(path)
    try:
        with reserved(path) as temporary:
            old = temporary.with_suffix(".old")
            _settle(path, old, temporary)
            check_replaceable_zarr(path)
            try:
                temporary.mkdir()
                yield temporary
                flush(temporary)
                check_replaceable_zarr(path)
                if path.is_dir():
                    os.replace(path, old)
                os.replace(temporary, path)
            finally:
                _settle(path, old, temporary)
    except OSError as error:
        raise not_written(path, error) from error


def _settle(path: Path, old: Path, temporary: Path) -> None:
    """Finish an interrupted replacement: restore the old folder if it has no successor, else remove it."""
    if not old.exists():
        return
    if not path.exists():
        os.replace(old, path)
        return
    remove(temporary)
    os.replace(old, temporary)  # rename first: a half-deleted folder must not be restored later
    remove(temporary)


def check_replaceable_zarr(path: Path) -> None:
    """Refuse a name of something that is no zarr of labels, such as an image.

    Raises
    ------
    OutputError
    """
    if os.path.lexists(path) and (path.is_symlink() or not holds_labels(path)):
        raise OutputError(
            f"{path}: expected a new name or a zarr of labels to replace, got something else there; choose another name"
        )

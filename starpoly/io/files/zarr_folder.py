"""Zarr folders that appear under their name whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import OutputError
from .atomic import flush, not_written, remove, reserved

_GROUP_FILES = ("zarr.json", ".zgroup", ".zarray")


@contextmanager
def new_zarr_folder(path: str | Path) -> Iterator[Path]:
    """A new hidden folder beside ``path`` that takes its name when the block ends well.

    A zarr that has the name is replaced; anything else there is left alone. A folder with contents cannot be replaced in
    one step: the earlier one becomes ``.NAME.old`` for a moment, and gets its name back if the process is killed in it.

    Raises
    ------
    ImageError
        If something other than a zarr has the name, or the disk refuses.
    """
    path = Path(path)
    try:
        with reserved(path) as temporary:
            old = temporary.with_suffix(".old")
            _settle(path, old, temporary)
            _check_replaceable(path)
            try:
                temporary.mkdir()
                yield temporary
                flush(temporary)
                _check_replaceable(path)
                if path.is_dir():
                    os.replace(path, old)
                os.replace(temporary, path)
            finally:
                _settle(path, old, temporary)
    except OSError as error:
        raise not_written(path, error) from error


def _settle(path: Path, old: Path, temporary: Path) -> None:
    """End a replacement that was begun: an earlier folder without a successor gets its name back, another goes."""
    if not old.exists():
        return
    if not path.exists():
        os.replace(old, path)
        return
    remove(temporary)
    os.replace(old, temporary)  # first of all it loses a name under which it would be taken for whole
    remove(temporary)


def _check_replaceable(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not any((path / name).is_file() for name in _GROUP_FILES)):
        raise OutputError(
            f"{path}: expected a new name or a zarr to replace, got something else there; choose another name"
        )

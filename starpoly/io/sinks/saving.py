"""New files and folders: whole or not at all, with one message for whatever the disk objects to."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import ImageError
from ..atomic import atomic_path

_GROUP_FILES = ("zarr.json", ".zgroup", ".zarray")


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block ends well; an OSError becomes an ImageError."""
    path = Path(path)
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise _failed(path, error) from error


@contextmanager
def new_zarr_folder(path: str | Path) -> Iterator[Path]:
    """A new hidden folder beside ``path`` that takes its name when the block ends well.

    A zarr that has the name is replaced; anything else there is left alone.

    Raises
    ------
    ImageError
        If something other than a zarr has the name, or the disk refuses.
    """
    path = Path(path)
    _check_replaceable(path)
    hidden = uuid.uuid4().hex[:12]
    temporary, old = (path.with_name(f".{hidden}.{end}") for end in ("part", "old"))
    try:
        temporary.mkdir()
        yield temporary
        _check_replaceable(path)
        if path.is_dir():
            os.replace(path, old)  # a folder with contents cannot be replaced in one step
        os.replace(temporary, path)
    except OSError as error:
        raise _failed(path, error) from error
    finally:
        if old.exists() and not path.exists():  # stopped between the two
            os.replace(old, path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _check_replaceable(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not any((path / name).is_file() for name in _GROUP_FILES)):
        raise ImageError(f"{path}: expected a new name or a zarr to replace, got something else there; choose another name")


def _failed(path: Path, error: OSError) -> ImageError:
    return ImageError(f"{path}: cannot be written ({error.strerror or error}); free space or choose another folder")

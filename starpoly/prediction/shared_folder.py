"""The output folder of a run on several machines: all must see it at the same path."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError


@contextmanager
def shared_folder(folder: Path) -> Iterator[Path]:
    """A file in a folder, for the block, by which workers tell that they see this folder."""
    token = folder.absolute() / f".starpoly-{uuid.uuid4().hex}"
    try:
        token.touch()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error
    try:
        yield token
    finally:
        token.unlink(missing_ok=True)


def check_shared(token: Path) -> None:
    """Refuse to write where nobody would find it.

    Raises
    ------
    OutputError
        If the file is not there.
    """
    if not token.exists():
        raise OutputError(
            f"{token.parent}: expected the output folder of the run, got another one or none on this worker; workers need it on "
            "shared storage, at the same path"
        )

"""Errors of the files beside the labels, kept until the labels are written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import OutputError


class DeferredErrors:
    """Writes files that must not cost the labels: an overlay, a table, a record."""

    def __init__(self) -> None:
        self._first: OutputError | None = None

    def write(self, path: Path, write: Callable[[], None]) -> None:
        """Write a file, or keep the error; then no file of an earlier run stays in its place."""
        try:
            write()
        except OutputError as error:
            with suppress(OSError):
                path.unlink()
            self._first = self._first or error

    def raise_first(self, labels: Path | None) -> None:
        """Raise the first error, if there is one, once all that could be written is.

        Raises
        ------
        OutputError
        """
        if self._first is not None:
            message = f"{self._first}; {'the labels' if labels else 'other files'} are written"
            raise OutputError(message) from self._first

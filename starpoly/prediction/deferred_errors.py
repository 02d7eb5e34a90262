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
        """Write a file, or keep the error; then no file of an earlier run stays in its place, but what else lies there does."""
        try:
            write()
        except OutputError as error:
            self._first = self._first or error
            with suppress(OSError):
                if path.is_file() and not path.is_symlink():
                    path.unlink()

    def message(self, labels: Path | None) -> str:
        """The first error, for :attr:`~starpoly.prediction.slide_result.SlideResult.incomplete`."""
        if self._first is None:
            return ""
        return f"{self._first}; {'the labels' if labels else 'other files'} are written"

"""Write measurements as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import ImageError
from ..files.atomic import new_file
from .cells import column_cells, text_cell
from .results import Results


def write_table(path: str | Path, columns: Mapping[str, Any]) -> None:
    """Write columns of equal length as a CSV file (UTF-8, comma, point) with a header.

    Numbers are rounded to four decimals or, where that is more, to six digits; NaN becomes an empty cell. A text that begins
    as formulas do gets an apostrophe in front.

    Parameters
    ----------
    path : str or Path
        The file; replaced whole, or left as it was if writing fails.
    columns : mapping of str to array or sequence
        As :func:`starpoly.labels.measure` gives them.

    Raises
    ------
    ImageError
        If the columns differ in length; OutputError if the file cannot be written.
    """
    stream_table(path, [columns])


def stream_table(path: str | Path, parts: Iterable[Mapping[str, Any]]) -> None:
    """Like :func:`write_table`, for at least one part, all with the same columns.

    Parameters
    ----------
    path : str or Path
        As for :func:`write_table`.
    parts : iterable of mappings
    """
    path = Path(path)
    with new_file(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        header: list[str] | None = None
        for columns in parts:
            if len({len(column) for column in columns.values()}) > 1:
                raise ImageError(
                    f"{path}: expected columns of equal length, got { {n: len(c) for n, c in columns.items()} }"
                )
            if header is None:
                header = list(columns)
                writer.writerow(map(text_cell, header))
            if header != list(columns):
                raise ImageError(f"{path}: expected columns {', '.join(header)}, got {', '.join(columns)}")
            writer.writerows(zip(*map(column_cells, columns.values()), strict=True))


def write_results(path: Path, results: Results) -> None:
    """Write all measurements of all objects; see :func:`write_table`."""
    stream_table(path, (columns for _, columns in results.measured()))

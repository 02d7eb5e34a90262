"""Write one table for many images: their tables below one another, as CSV or Parquet."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from ...errors import ConfigError, DataError, OutputError, install_command
from ..files.atomic import check_free, new_file
from .cells import column_cells, plain_text, text_cell

SUFFIXES = (".csv", ".parquet")
_AT_ONCE = 1 << 14
"""Rows converted at once."""
_BAD_TABLE = "expected a table of objects (CSV) as starpoly writes them, got"


@dataclass(frozen=True)
class ImageTable:
    """The table of one image.

    Attributes
    ----------
    path : Path
        CSV file, see :func:`starpoly.io.write_table`.
    leading : mapping of str to str, int or float
        What its rows begin with: image, plate, well, time point ... A column of the same name in the table comes before.
    """

    path: Path
    leading: Mapping[str, Any] = field(default_factory=dict)

    def header(self) -> list[str]:
        """Names of the table's columns. Reads the whole table, to know that it is whole.

        Raises
        ------
        DataError
            If it cannot be read, or a row has more or fewer cells.
        """
        with self._rows() as (header, rows):
            for number, row in enumerate(rows, 2):
                if len(row) != len(header):
                    raise DataError(
                        f"{self.path}: {_BAD_TABLE} {len(row)} cells in row {number}; segment the image again"
                    )
            return header

    def parts(self, columns: Sequence[str]) -> Iterator[list[list[str]]]:
        """The rows in parts, as cells of the given columns: those it lacks are empty."""
        constant = {name: str(column_cells([value])[0]) for name, value in self.leading.items()}
        with self._rows() as (header, rows):
            place = {name: index for index, name in enumerate(header)}
            part: list[list[str]] = []
            for row in rows:
                part.append([row[place[name]] if name in place else constant.get(name, "") for name in columns])
                if len(part) == _AT_ONCE:
                    yield part
                    part = []
            yield part

    @contextmanager
    def _rows(self) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                rows = csv.reader(file)
                header = next(rows, [])
                if not header or len(set(header)) != len(header):
                    raise DataError(f"{self.path}: {_BAD_TABLE} the header {header}; segment the image again")
                yield header, rows
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{self.path}: {_BAD_TABLE}: {error}; segment the image again") from error


class ColumnInfo(Protocol):
    """What is known of a column."""

    @property
    def kind(self) -> str:
        """Of the values: ``int``, ``float`` or ``text``."""
        ...

    @property
    def unit(self) -> str:
        """Unit; empty for none."""
        ...

    @property
    def definition(self) -> str:
        """What it holds."""
        ...


def check_run_table(path: Path) -> None:
    """Refuse a name that cannot be written, before the work begins.

    Raises
    ------
    ConfigError
        If it does not end in .csv or .parquet, or pyarrow is not installed.
    OutputError
        If it is something else than a file, or its folder cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}")
    check_free(path)
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise OutputError(f"{path}: expected a name in a folder that can be written, got {folder}; choose another")
    if path.suffix.lower() == ".parquet":
        _pyarrow()


def write_run_table(
    path: Path,
    tables: Iterable[ImageTable],
    describe: Callable[[str], ColumnInfo | None],
    first: Sequence[str] = (),
) -> list[str]:
    """Write the tables of many images below one another; the file appears whole or not at all.

    Memory holds a few thousand rows. The columns are those of all tables, in the order in which they come first; a table that
    lacks one has empty cells there.

    Parameters
    ----------
    path : Path
        Ends in ``.csv``, or in ``.parquet`` (extra ``parquet``). There whole numbers are int64, texts strings and other numbers
        float64, with unit and definition as metadata of each column.
    tables : iterable of ImageTable
    describe : callable
        What is known of a column by its name; None for a column of texts.
    first : sequence of str
        Columns that come before the others, as far as there are such.

    Returns
    -------
    list of str
        Why tables are left out.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    headers: dict[str, None] = {}
    leading: dict[str, None] = {}
    usable, problems = [], []
    for table in tables:
        try:
            headers |= dict.fromkeys(table.header())
        except DataError as error:
            problems.append(str(error))
            continue
        leading |= dict.fromkeys(table.leading)
        usable.append(table)
    named = leading | headers
    columns = list({name: None for name in first if name in named} | named)
    write = _write_csv if path.suffix.lower() == ".csv" else _write_parquet
    with new_file(path) as temporary:
        write(temporary, columns, (part for table in usable for part in table.parts(columns)), describe)
    return problems


def _write_csv(
    path: Path, columns: list[str], parts: Iterable[list[list[str]]], describe: Callable[[str], ColumnInfo | None]
) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(text_cell, columns))
        for part in parts:
            writer.writerows(part)


def _write_parquet(
    path: Path, columns: list[str], parts: Iterable[list[list[str]]], describe: Callable[[str], ColumnInfo | None]
) -> None:
    arrow = _pyarrow()
    import pyarrow.parquet

    infos = [describe(name) for name in columns]
    schema = arrow.schema([_field(arrow, name, info) for name, info in zip(columns, infos, strict=True)])
    readers = [_READERS["text" if info is None else info.kind] for info in infos]
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for part in parts:
            cells = zip(*part, strict=True) if part else [()] * len(columns)
            arrays = [
                arrow.array(_values(name, column, read), kind)
                for name, column, read, kind in zip(columns, cells, readers, schema.types, strict=True)
            ]
            writer.write_batch(arrow.record_batch(arrays, schema=schema))


def _values(name: str, cells: Iterable[str], read: Callable[[str], Any]) -> list[Any]:
    """The values of some cells of a column; None where one is empty."""
    try:
        return [None if cell == "" else read(cell) for cell in cells]
    except ValueError as error:
        raise DataError(
            f"{name}: expected numbers in this column of the tables, got: {error}; segment the images again"
        ) from error


def _field(arrow: ModuleType, name: str, info: ColumnInfo | None) -> Any:
    kinds = {"int": arrow.int64(), "float": arrow.float64(), "text": arrow.string()}
    if info is None:
        return arrow.field(name, arrow.string())
    return arrow.field(name, kinds[info.kind], metadata={"unit": info.unit, "definition": info.definition})


_READERS: Mapping[str, Callable[[str], Any]] = {"int": int, "float": float, "text": plain_text}


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
    except ImportError as error:
        raise ConfigError(
            f"--table-all: expected pyarrow for .parquet, got none; {install_command('parquet')}"
        ) from error
    return pyarrow

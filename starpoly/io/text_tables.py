"""Text and tables as other programs and systems write them: byte order marks, encodings, separators."""

from __future__ import annotations

import codecs
import csv
import re
from contextlib import suppress
from pathlib import Path

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by their mark, the longer marks before those that they begin with."""
_LOOKED_AT = 1000
"""Bytes that tell UTF-16 without a mark."""
_SEPARATORS = ",;\t"
_SEPARATOR_STATED = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)
"""A first line that Excel understands."""


def decode_text(content: bytes) -> str:
    """Text of a file: by its byte order mark, else UTF-16 if every other byte is zero, else UTF-8, else as Windows writes
    western languages.

    Examples
    --------
    >>> decode_text("name;ß".encode("utf-8-sig")), decode_text("Zürich".encode("cp1252"))
    ('name;ß', 'Zürich')
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    start = content[:_LOOKED_AT]
    zeros = {"utf-16-be": start[::2].count(0), "utf-16-le": start[1::2].count(0)}
    likely = max(zeros, key=lambda encoding: zeros[encoding])
    if zeros[likely] > len(start) / 4:
        return content.decode(likely, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def valid_text(text: str) -> str:
    """Text that UTF-8 can hold: bytes of a file's name that are no characters become escapes, such as ``\\udcfc``.

    Bytes that the locale cannot decode are read as UTF-8, so names look the same in every locale.
    """
    with suppress(UnicodeEncodeError):  # surrogates that stand for no byte
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table with a header; its separator is the comma, semicolon or tab that divides the header most.

    Parameters
    ----------
    path : Path
        A table that people wrote, such as an export of a spreadsheet.

    Returns
    -------
    list of dict
        Cells without spaces around them, by the header in small letters; missing cells are empty. Empty rows are left out.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no table.
    """
    lines = decode_text(path.read_bytes()).splitlines()
    header = next((line for line in lines if line.strip()), "")
    if stated := _SEPARATOR_STATED.fullmatch(header):
        separator, lines = stated[1], lines[lines.index(header) + 1 :]
    else:
        separator = max(_SEPARATORS, key=header.count)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    names, *cells = [row for row in rows if any(row)] or [[]]
    names = [name.casefold() for name in names]
    return [dict(zip(names, [*row, *[""] * len(names)], strict=False)) for row in cells]


def whole_number(cell: str) -> int:
    """A whole number, which programs also write as ``3.0``.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> whole_number("3"), whole_number("3.0")
    (3, 3)
    """
    number, _, zeros = cell.partition(".")
    if zeros.strip("0"):
        raise ValueError(f"{cell!r} is no whole number")
    return int(number)

"""Cells of tables: numbers with as many digits as matter, text that no spreadsheet takes for a formula."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the full-width forms, which some spreadsheets take for the same."""
_DECIMALS, _DIGITS = 4, 6
_FOUR_DECIMALS_FROM = 10.0
"""Four decimals are six digits or more."""
_LARGEST_WHOLE = 2.0**53
"""Whole floats up to this are exact."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def text_cell(text: str) -> str:
    """A text from outside, such as a name: one that begins as formulas do gets an apostrophe in front.

    Control characters, which a terminal would obey, are escaped; line ends and tabs stay.
    """
    text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def plain_text(cell: str) -> str:
    """The text of a cell of :func:`text_cell`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA_STARTS) else cell


def number_cell(value: Any) -> int | float | str:
    """A number with four decimals, or six digits where that is more; empty for NaN and infinity."""
    number = float(value)
    if not math.isfinite(number):
        return ""
    if number.is_integer() and abs(number) < _LARGEST_WHOLE:
        return int(number)
    return round(number, _DECIMALS) if abs(number) >= _FOUR_DECIMALS_FROM else float(f"{number:.{_DIGITS}g}")


def column_cells(column: Any) -> Sequence[Any]:
    """The cells of a column of numbers or texts."""
    values = column.tolist() if isinstance(column, np.ndarray) else column
    if isinstance(column, np.ndarray) and column.dtype.kind in "ui":
        return values
    return [text_cell(value) if isinstance(value, str) else number_cell(value) for value in values]

"""Which planes along an axis: numbers, lists and ranges, counted from 0 as in Python."""

from __future__ import annotations

import operator
import re
from typing import Any

from ..errors import ConfigError, ImageError

_INTEGER = re.compile(r"\s*-?\d+\s*")
_RANGE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?")


def parse_selection(text: str) -> int | tuple[int | slice, ...]:
    """A selection as text: ``3``, ``2:10``, ``::2``, ``0,4,7`` or ``0,10:20``.

    Raises
    ------
    ConfigError
        If it is none.
    """
    if _INTEGER.fullmatch(text):
        return int(text)
    parts: list[int | slice] = []
    for part in text.split(","):
        if _INTEGER.fullmatch(part):
            parts.append(int(part))
        elif match := _RANGE.fullmatch(part):
            parts.append(_range(part, *(None if number is None else int(number) for number in match.groups())))
        else:
            raise ConfigError(f"expected planes as 3, 2:10 or 0,4,7, counted from 0, got {text!r}")
    return tuple(parts)


def _range(text: str, first: int | None, end: int | None, step: int | None) -> slice:
    """A range that may hold something, whatever the length of the axis."""
    if step == 0:
        raise ConfigError(f"expected a step other than 0, got {text!r}")
    comparable = first is not None and end is not None and (first < 0) == (end < 0)  # from the same end of the axis
    if comparable and (first <= end if step is not None and step < 0 else first >= end):  # type: ignore[operator]
        raise ConfigError(f"expected a range that holds planes, got {text!r}, which is empty")
    return slice(first, end, step)


def pick(selection: Any, length: int, what: str, name: str) -> tuple[list[int], bool]:
    """The chosen positions along an axis, ascending, and whether the axis stays: a single number removes it.

    Parameters
    ----------
    selection : None, int, slice, range, str or sequence of int
        None for all. A negative number counts from the end; slices are cut as in Python.
    length : int
    what, name : str
        What is chosen, and the image, for messages.

    Raises
    ------
    ImageError
        If a position does not exist, or none is chosen.
    ConfigError
        If the selection is none.
    """
    if isinstance(selection, str):
        selection = parse_selection(selection)
    if selection is None:
        return list(range(length)), True
    if isinstance(selection, (slice, range)):
        selection = (selection,)
    if is_number(selection):
        return [_position(selection, length, what, name)], False
    found: set[int] = set()
    for part in selection:
        if isinstance(part, slice):
            found.update(range(length)[part])
        else:
            found.update(
                _position(number, length, what, name) for number in (part if isinstance(part, range) else [part])
            )
    if not found:
        raise ImageError(f"{name}: expected some {what} from 0 to {length - 1}, got none of them")
    return sorted(found), True


def is_number(selection: Any) -> bool:
    """Whether a selection is a single number, which removes its axis."""
    if isinstance(selection, str):
        selection = parse_selection(selection)
    if selection is None or isinstance(selection, (slice, range)):
        return False
    return not hasattr(selection, "__len__") or getattr(selection, "shape", None) == ()


def _position(number: Any, length: int, what: str, name: str) -> int:
    try:
        position = operator.index(number)
    except TypeError:
        raise ConfigError(f"{what}: expected numbers or ranges of them, got {number!r}") from None
    if not -length <= position < length:
        raise ImageError(f"{name}: expected {what} from 0 to {length - 1}, got {position}")
    return position % length

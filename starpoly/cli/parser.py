"""The argument parser: errors in two lines, with the nearest known name of what is mistyped."""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, NoReturn

from ..io.console import printable_lines, write

#: Units that a value may end with.
_UNIT = re.compile(r"[nuµμm]m|px|%|[kKMGT]i?B?")
#: Values that begin with a minus sign, also several or with a unit, as in ``--roi -5,0,10,20`` or ``--memory -8G``; argparse
#: would take them for options.
_NEGATIVE = re.compile(rf"^-\.?\d[\d.,:eE+-]*(?:{_UNIT.pattern})?$")
_CHOICE = re.compile(r"^(.*)invalid choice: '(.*)' \(choose from (.*)\)$", re.DOTALL)
#: Least likeness of two names, from 0 to 1.
_ALIKE = 0.75


class Parser(argparse.ArgumentParser):
    """A parser whose errors say expected and got, and name the page that lists all options."""

    _given: Sequence[str] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = _NEGATIVE

    def error(self, message: str) -> NoReturn:
        """Write a message in two lines and exit with status 2."""
        if "arguments are required" in message:
            if mistyped := self._mistyped():
                message += f"; {_unknown(mistyped, self)}"
            elif file := next(filter(_is_dashed_file, self._given), None):
                message += f"; a name that begins with - needs its folder in front, as in ./{file}"
        write(f"usage: {self.prog} ... ({self.prog} --help lists all options)\n")
        self.exit(2, f"{self.prog}: error: {_with_choices(message)}\n")

    def _mistyped(self) -> list[str]:
        """Words given that look like options and are none."""
        known = self._option_string_actions
        words = [word.partition("=")[0] for word in self._given if word.startswith("--") and len(word) > 2]
        return [word for word in words if not any(option.startswith(word) for option in known)]

    def _with_one_dash(self) -> str | None:
        """The first word given that is a long option but for a dash; argparse would take ``-output`` for ``-o utput``."""
        long = [option.lstrip("-") for option in self._option_string_actions if option.startswith("--")]
        words = itertools.takewhile(lambda word: word != "--", self._given)
        names = (word.partition("=")[0] for word in words if re.match(r"-[^\W\d][\w-]{2}", word))
        return next((name for name in names if any(option.startswith(name[1:]) for option in long)), None)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Exit; the message goes to stderr, if there is one."""
        if message:
            write(printable_lines(message))
        raise SystemExit(status)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """See :meth:`argparse.ArgumentParser.parse_known_args`; keeps the words for :meth:`error`."""
        self._given = list(sys.argv[1:] if args is None else args)
        if word := self._with_one_dash():
            self.error(_unknown([word], self))
        return super().parse_known_args(args, namespace)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """See :meth:`argparse.ArgumentParser.parse_args`; unknown options get a suggestion."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            command = getattr(found, "parser", self)
            command.error(_unknown(unknown, command))
        return found


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names most like a mistyped one, or of which one word is like it, or that it begins."""
    known = list(known)
    wanted = name.lstrip("-").casefold()
    likeness = {other: max(_likeness(wanted, part) for part in _parts(other)) for other in known}
    best = max(likeness.values(), default=0.0)
    if best < _ALIKE:
        short = _without_dashes(name)
        return [other for other in known if len(short) > 2 and _without_dashes(other).startswith(short)][:most]
    return [other for other, alike in likeness.items() if alike >= best - 0.05][:most]


def _without_dashes(name: str) -> str:
    return name.replace("-", "").casefold()


def _is_dashed_file(word: str) -> bool:
    return re.fullmatch(r"-[^-].*\.\w+", word) is not None and _NEGATIVE.match(word) is None


def _parts(name: str) -> Iterator[str]:
    whole = name.lstrip("-").casefold()
    yield whole
    yield from (word for word in whole.split("-") if len(word) > 3)


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def _unknown(unknown: Sequence[str], parser: argparse.ArgumentParser) -> str:
    options = [option for option in parser._option_string_actions if option.startswith("--")]
    given = next((word for word in unknown if word.startswith("-")), unknown[0]).partition("=")[0]
    remedy = did_you_mean(nearest(given, options))
    if unit := next(filter(_UNIT.fullmatch, unknown), None):
        remedy = f"; write a unit without a space before it, as in 12{unit}"
    return f"expected options that exist, got {' '.join(unknown)}{remedy}"


def _with_choices(message: str) -> str:
    """A message of argparse about a choice, with the nearest one."""
    match = _CHOICE.match(message)
    if match is None:
        return message
    about, got, listed = match.groups()
    choices = [choice.strip().strip("'") for choice in listed.split(",")]
    return f"{about}expected one of {', '.join(choices)}, got {got!r}{did_you_mean(nearest(got, choices))}"


def did_you_mean(names: Sequence[str]) -> str:
    """The end of a message."""
    return f"; did you mean {' or '.join(names)}?" if names else ""

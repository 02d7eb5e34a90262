"""Shared by all sub-commands: one-line messages on stderr, and argument types."""

from __future__ import annotations

import argparse
import errno
import logging
import math
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import DataError, StarpolyError, warnings_given_to
from ..io.console import say
from ..io.files.named import is_stream
from ..prediction.summary import error_row

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

#: What the loader, Python and C++ say when there is no memory.
_NO_MEMORY = ("Cannot allocate memory", "failed to map segment", "can't start new thread", "bad_alloc", "bad alloc")

#: Stack of (current file, its warnings); the last entry is active.
_subjects: list[tuple[str, list[str]]] = []


def check_suffix(option: str, path: Path, suffix: str) -> None:
    """Refuse to write one kind of file under the name of another, which it might replace.

    Raises
    ------
    DataError
    """
    if path.suffix.lower() != suffix and not is_stream(path):
        raise DataError(f"{option}: expected a file name that ends in {suffix}, got {path}")


def say_error(error: BaseException, *, subject: object = "", verbose: bool = False) -> str:
    """Write an error about ``subject`` as one line, plus its traceback if ``verbose``; return the message."""
    message = _with_subject(str(subject), describe(error))
    say(f"starpoly: error: {message}")
    if verbose:
        say("".join(traceback.format_exception(error)).rstrip())
    return message


def failure(given: object, error: BaseException, args: argparse.Namespace) -> dict[str, Any]:
    """Print an error and return its summary row."""
    return error_row(given, say_error(error, subject=given, verbose=getattr(args, "verbose", False)))


def describe(error: BaseException) -> str:
    """An error's message in one line. Errors of the disk name the file, unexpected ones their type and how to get the traceback."""
    text = " ".join(str(error).split())
    if isinstance(error, StarpolyError):
        return text
    if is_out_of_memory(error):
        return (
            "out of memory; use a smaller --tile-size or --memory (in training --batch-size or --patch-size), crop the image, "
            "or free memory"
        )
    if isinstance(error, OSError) and error.strerror:
        return f"{'' if error.filename is None else f'{error.filename}: '}cannot be read or written ({error.strerror})"
    return f"unexpected {type(error).__name__}: {text}; run with -v for the traceback"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ended, which libraries tell in many ways: while they are loaded, or as they start a thread."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    if isinstance(error, ImportError | OSError | RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY):
        return True
    cause = error.__cause__ or error.__context__
    return isinstance(error, ImportError | SystemError) and cause is not None and is_out_of_memory(cause)


@contextmanager
def about(subject: object) -> Iterator[list[str]]:
    """Prefix warnings in the block with ``subject`` and collect them in the yielded list."""
    messages: list[str] = []
    _subjects.append((str(subject), messages))
    try:
        yield messages
    finally:
        _subjects.pop()


@contextmanager
def warnings_as_lines(*, quiet: bool = False, verbose: bool = False) -> Iterator[None]:
    """Show each StarpolyWarning as one line; other warnings only if ``verbose``."""

    def tell(message: str) -> None:
        text = " ".join(message.split())
        if _subjects:
            subject, messages = _subjects[-1]
            messages.append(text)
            text = _with_subject(subject, text)
        if not quiet:
            say(f"starpoly: warning: {text}")

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if not quiet:
            say(f"starpoly: {category.__name__}: {' '.join(str(message).split())}")

    with warnings_given_to(tell), warnings.catch_warnings():
        warnings.simplefilter("default" if verbose else "ignore")
        warnings.showwarning = show
        yield


@contextmanager
def log_as_lines(*, quiet: bool = False) -> Iterator[None]:
    """Show starpoly's log from INFO on, one line per record, prefixed with the current file unless it is ``of_run``."""
    handler, logger = _Lines(), logging.getLogger("starpoly")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if _subjects and not getattr(record, "of_run", False):
            text = _with_subject(_subjects[-1][0], text)
        kind = "warning: " if record.levelno >= logging.WARNING else ""
        say(f"starpoly: {kind}{text}")


def _with_subject(subject: str, text: str) -> str:
    subject = " ".join(subject.split())  # file names may hold line breaks; messages stay on one line
    return text if text.startswith(subject) else f"{subject}: {text}"


def fraction(text: str) -> float:
    """Argument type: a number from 0 to 1."""
    value = number(text, "a number from 0 to 1")
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def positive_float(text: str) -> float:
    """Argument type: a positive number."""
    value = number(text, "a positive number")
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return value


def positive_integer(text: str) -> int:
    """Argument type: 1, 2, 3 ..."""
    return _integer(text, 1)


def whole_number(text: str) -> int:
    """Argument type: 0, 1, 2 ..."""
    return _integer(text, 0)


def integer(text: str) -> int:
    """Argument type: any whole number; the settings know which are allowed."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def number(text: str, expected: str = "a number") -> float:
    """Argument type: any number; ``expected`` is for the message."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}{with_point(text)}") from None


def with_point(text: str) -> str:
    """The end of a message about a number with a decimal comma, perhaps with a unit; nothing for another text.

    Examples
    --------
    >>> with_point("7,5um"), with_point("2,10,4")
    ('; write 7.5um', '')
    """
    is_number = re.fullmatch(r"\s*\d*,\d+(e[+-]?\d+)?\s*[a-zµμ]*\s*", text, re.IGNORECASE)
    return f"; write {text.strip().replace(',', '.')}" if is_number else ""


def _integer(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of {least} or more, got {text!r}")
    return value


def byte_size(text: str) -> int:
    """Argument type: a number of bytes such as 8G, 500M or 2.5GiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if match is None or size < 1:
        raise argparse.ArgumentTypeError(f"expected a size such as 8G or 500M, got {text!r}{with_point(text)}")
    if not match[2] and size < _UNITS["M"]:  # meant as gigabytes, more likely
        raise argparse.ArgumentTypeError(
            f"expected a size such as 8G or 500M, got {size} bytes; name the unit, as in 8G"
        )
    return size

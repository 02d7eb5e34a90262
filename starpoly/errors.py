"""Errors and warnings: each message says what was expected, what was got and what to do."""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager


class StarpolyError(ValueError):
    """Base of every error that starpoly raises on purpose; the command line prints it as one line."""


class ConfigError(StarpolyError):
    """A setting is unknown, of the wrong type or out of range."""


class ImageError(StarpolyError):
    """An image or label file cannot be read, or holds something that cannot be used."""


class ImageTypeError(ImageError, TypeError):
    """What was given as an image is neither an array nor a path."""


class TooLargeError(ImageError):
    """An image is sound, but memory does not suffice for it as a whole."""


class OutputError(ImageError):
    """A result cannot be written; the image is not to blame."""


class DataError(StarpolyError):
    """Training or evaluation data are missing, do not pair or are not label images."""


class ModelError(StarpolyError):
    """A model folder is missing, incomplete, foreign, or does not fit the image."""


class StarpolyWarning(UserWarning):
    """Something looks wrong but the work goes on (constant image, NaN, zero objects ...)."""


# who is told of warnings instead of Python's warnings module, the last first. Its filters are of the whole process, and
# another thread that changes them and puts them back (numba, as it compiles) puts back what this one has left meanwhile
_listeners: list[Callable[[str], object]] = []


def warn(message: str, *, stacklevel: int = 2) -> None:
    """Give a :class:`StarpolyWarning`; a closed screen, on which nobody would see it, costs nothing.

    Parameters
    ----------
    message : str
    stacklevel : int
        Whose line the warning names, as in :func:`warnings.warn` from where this is called.
    """
    if _listeners:
        _listeners[-1](message)
        return
    try:
        warnings.warn(message, StarpolyWarning, stacklevel=stacklevel + 1)
    except ValueError:  # of a stream that is closed
        if sys.stderr is None or not getattr(sys.stderr, "closed", False):
            raise


@contextmanager
def warnings_given_to(listener: Callable[[str], object]) -> Iterator[None]:
    """Call ``listener`` with the message of each :class:`StarpolyWarning` of the block instead of showing it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def without_warnings() -> AbstractContextManager[None]:
    """No :class:`StarpolyWarning` in the block, such as of what was warned of before."""
    return warnings_given_to(lambda message: None)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """The messages of each :class:`StarpolyWarning` of the block, as they come, instead of showing them."""
    messages: list[str] = []
    with warnings_given_to(messages.append):
        yield messages


@contextmanager
def naming(subject: object) -> Iterator[None]:
    """Begin each :class:`StarpolyWarning` of the block with ``subject``, the image that it is about."""
    with collected_warnings() as messages:
        yield
    for text in messages:
        named = text if text.startswith(str(subject)) else f"{subject}: {text}"
        warn(named, stacklevel=4)


def install_command(extra: str) -> str:
    """The command that installs the packages of an extra, for messages.

    It names these packages themselves: no index need know starpoly.

    Examples
    --------
    >>> install_command("lif")
    'pip install "liffile>=2026.2"'
    """
    from importlib.metadata import PackageNotFoundError, requires

    try:
        stated = requires("starpoly") or []
    except PackageNotFoundError:  # run from a folder that is not installed
        stated = []
    packages = [line.partition(";")[0].strip() for line in stated if line.endswith(f'extra == "{extra}"')]
    return " ".join(["pip install", *(f'"{package}"' for package in packages or [f".[{extra}]"])])


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one; empty if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""

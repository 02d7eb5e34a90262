"""Lines and progress bars for a console, which a program may lack: a stream is None, closed, or gone."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

#: What a stream raises that cannot be used: closed, of a closed pipe, without a method.
_UNUSABLE = (OSError, ValueError, AttributeError)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is an open terminal."""
    try:
        return stream is not None and stream.isatty()
    except _UNUSABLE:
        return False


def is_usable(stream: TextIO | None) -> bool:
    """Whether a stream can be written to."""
    return stream is not None and hasattr(stream, "write") and not getattr(stream, "closed", False)


def write(text: str) -> None:
    """Write to stderr, if there is one."""
    with suppress(*_UNUSABLE):
        if sys.stderr is not None:
            sys.stderr.write(text)


def flush() -> None:
    """Flush stderr, if there is one."""
    with suppress(*_UNUSABLE):
        if sys.stderr is not None:
            sys.stderr.flush()


def printable(text: str) -> str:
    """Escape what a terminal would obey or hide: control characters, changes of reading direction, undecodable bytes."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii") for char in text
    )


def printable_lines(text: str) -> str:
    """:func:`printable`, for text of several lines."""
    return "\n".join(map(printable, text.split("\n")))


def say(message: str) -> None:
    """Write a message to stderr, above a progress bar if one is shown; names in it cannot command the terminal."""
    message = printable_lines(message)
    module = sys.modules.get("tqdm")  # no tqdm, no bar
    if module is None or not is_terminal(sys.stderr):
        write(f"{message}\n")
        return
    with suppress(*_UNUSABLE):
        module.tqdm.write(message, file=sys.stderr)


def progress_bar(steps: Iterable[Any] | None = None, *, shown: bool = True, **settings: Any) -> tqdm:
    """A tqdm bar; where stderr is no terminal, the same as a line a minute.

    Parameters
    ----------
    steps : iterable, optional
        What to go through.
    shown : bool
        Whether progress is wanted.
    **settings
        Of tqdm.
    """
    from tqdm import tqdm

    shown = shown and not _hidden
    if shown and not is_terminal(sys.stderr) and is_usable(sys.stderr):
        from .progress_lines import ProgressLines

        return ProgressLines(steps, **settings)
    return tqdm(steps, disable=not (shown and is_terminal(sys.stderr)), **settings)


_hidden: list[bool] = []


@contextmanager
def without_progress(wanted: bool = True) -> Iterator[None]:
    """Show no progress in the block, if that is wanted."""
    if not wanted:
        yield
        return
    _hidden.append(True)
    try:
        yield
    finally:
        _hidden.pop()


_silence = threading.Lock()


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Drop what C libraries write to stderr in the block, past Python; short, since other threads' lines are lost, too."""
    with _silence, ExitStack() as stack:
        try:
            # without a stderr at the start, another file may have got its descriptor
            stderr = None if sys.__stderr__ is None else os.dup(2)
        except OSError:  # stderr is closed
            stderr = None
        if stderr is not None:
            stack.callback(os.close, stderr)
            stack.callback(os.dup2, stderr, 2)
            stack.callback(flush)
            flush()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        yield


def duration(seconds: float) -> str:
    """A time for people: ``45 s``, ``12 min``, ``3 h 5 min``.

    Examples
    --------
    >>> duration(44.6), duration(100), duration(11000)
    ('45 s', '2 min', '3 h 3 min')
    """
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return (f"{hours} h {minutes} min" if minutes else f"{hours} h") if hours else f"{minutes} min"


@contextmanager
def with_streams() -> Iterator[None]:
    """Give a process without stdout or stderr ones that swallow what is written.

    The file descriptors 0 to 2 are opened, too, if they are closed: a result file that got one of them would take what C
    libraries print.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
    with ExitStack() as stack:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if not is_usable(stream):
                # not closed: what runs at the end of the process may write, too
                stack.enter_context(redirect(open(os.devnull, "w", encoding="utf-8")))  # noqa: SIM115
        yield

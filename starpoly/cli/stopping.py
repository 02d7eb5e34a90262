"""Ctrl-C and SIGTERM: the first ends a command in good order, the second at once."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: zarr writes in an event loop, which tells of every task that was not finished
_event_loops = logging.getLogger("asyncio")


class Terminated(KeyboardInterrupt):
    """SIGTERM has come; whatever ends well on Ctrl-C ends well on it."""


def exit_status(stop: KeyboardInterrupt) -> int:
    """What the shell is to see: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def stoppable(*, for_good: bool = False) -> Iterator[None]:
    """Both signals raise KeyboardInterrupt in the block; a second one ends the process where it is.

    That costs nothing: results and the state of a run appear whole or not at all. A signal that is ignored, as under
    ``nohup``, stays ignored.

    Parameters
    ----------
    for_good : bool
        Also after the block, for a program that has nothing left to do but to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if came:
            os.write(2, b"\nstarpoly: stopped at once\n")
            os._exit(128 + number)
        came.append(number)
        # what was interrupted half-way may complain when it is thrown away
        sys.unraisablehook = lambda broken: None
        _event_loops.disabled = True
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    hook, quiet = sys.unraisablehook, _event_loops.disabled
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in handlers.items():
        if handler not in (signal.SIG_IGN, None):
            signal.signal(number, stop)
    try:
        yield
    finally:
        if not for_good:
            sys.unraisablehook, _event_loops.disabled = hook, quiet
            for number, handler in handlers.items():
                if handler is not None:
                    signal.signal(number, handler)

"""Ctrl-C and SIGTERM: the first signal stops a command cleanly, the second at once."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: zarr's event loop logs every unfinished task; silenced after a signal
_event_loops = logging.getLogger("asyncio")


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived. Handled like Ctrl-C."""


def exit_status(stop: KeyboardInterrupt) -> int:
    """Exit status for the shell: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def stoppable(*, for_good: bool = False) -> Iterator[None]:
    """Raise KeyboardInterrupt on the first signal in the block; exit at once on the second.

    An immediate exit loses no data: results and run state are written atomically. Signals ignored before, as under
    ``nohup``, stay ignored.

    Parameters
    ----------
    for_good : bool
        Keep the handlers after the block, for a process about to exit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if came:
            with suppress(OSError):  # stderr is closed
                os.write(2, b"\nstarpoly: stopped at once\n")
            os._exit(128 + number)
        came.append(number)
        # interrupted objects may raise while they are garbage-collected
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

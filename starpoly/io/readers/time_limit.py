"""A time limit for decoding: a file whose decoder never ends costs that file alone.

The work is done in a daemon thread. When the time is up, Python code in that thread is ended by an exception; a decoder in C
cannot be, and its thread is left behind, which does not keep the process from ending. A decoder in C that holds Python's
lock all the time is not covered.
"""

from __future__ import annotations

import contextvars
import ctypes
import math
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ...errors import ConfigError, ImageError

VARIABLE = "STARPOLY_DECODE_SECONDS"
"""Environment variable with the limit; 0 for none."""

DEFAULT_SECONDS = 600.0
"""Seconds for one step: to open a file, to decode it whole, or to decode a block of it. A gigapixel takes one minute."""

Result = TypeVar("Result")


class _OutOfTimeError(BaseException):
    """Ends the work of a thread; no decoder's ``except Exception`` may catch it."""


def seconds_allowed() -> float:
    """The limit in seconds, infinite for none.

    Raises
    ------
    ConfigError
        If the environment variable is no number of at least 0.
    """
    stated = os.environ.get(VARIABLE, "")
    try:
        seconds = float(stated) if stated else DEFAULT_SECONDS
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise ConfigError(f"{VARIABLE}: expected seconds, 0 for no limit, got {stated!r}; correct or unset it")
    return seconds or math.inf


def within_time(work: Callable[[], Result], name: object, what: str = "to be decoded") -> Result:
    """Do a step of decoding a file within the time that is allowed.

    Parameters
    ----------
    work : callable
        The step. Steps within it count as parts of it.
    name : object
        The file, for messages.
    what : str
        What takes so long.

    Raises
    ------
    ImageError
        If the time is up.
    """
    limit = seconds_allowed()
    if math.isinf(limit) or isinstance(threading.current_thread(), _Worker):
        return work()
    worker = _idle_worker()
    task = worker.start_task(work)
    try:
        return task.result(min(limit, threading.TIMEOUT_MAX))
    except TimeoutError:
        if task.done():  # the work's own error
            raise
        worker.abandon()
    raise ImageError(
        f"{name}: expected {what} within {limit:g} seconds, got no end; the file is damaged, or set {VARIABLE} to more"
    )


class _Worker(threading.Thread):
    """A daemon thread that does one task after another."""

    def __init__(self) -> None:
        super().__init__(name="decoding", daemon=True)
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._abandoned = False

    def start_task(self, work: Callable[[], Result]) -> Future[Result]:
        task: Future[Result] = Future()
        context = contextvars.copy_context()
        self._tasks.put((lambda: context.run(work), task))
        return task

    def run(self) -> None:
        try:
            while not self._abandoned:
                _do(*self._tasks.get())
                if not self._abandoned:
                    _idle.append(self)
        except _OutOfTimeError:
            pass

    def abandon(self) -> None:
        self._abandoned = True
        if self.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(_OutOfTimeError))


def _do(work: Callable[[], Any], task: Future[Any]) -> None:
    """In a function of its own, so that an idle thread holds no result."""
    try:
        result = work()
    except BaseException as error:
        task.set_exception(error)
    else:
        task.set_result(result)


_idle: list[_Worker] = []


def _idle_worker() -> _Worker:
    try:
        return _idle.pop()
    except IndexError:
        worker = _Worker()
        worker.start()
        return worker


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a child has none of the threads

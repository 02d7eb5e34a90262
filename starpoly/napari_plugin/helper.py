"""Helper process for the network: keeps the viewer responsive and separates conflicting libraries.

With software rendering, the compilers of Mesa and TensorFlow conflict in one process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magicgui.widgets import Label, PushButton

_LOOK_EVERY = 0.2  # seconds between polls of the log


@lru_cache(maxsize=1)
def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def run(
    function: Callable[..., Any], *args: Any, log: Path | None = None, **settings: Any
) -> Generator[int, None, Any]:
    """Call a function in the helper process.

    Parameters
    ----------
    function : callable
        A module-level function with its arguments: both are pickled.
    log : Path, optional
        Training log to watch.

    Yields
    ------
    int
        Number of finished epochs in the log, after each change.

    Returns
    -------
    object
        The function's result. Its error is raised here. The next call replaces a dead process.
    """
    future: Future[Any] = _pool().submit(function, *args, **settings)
    told = 0
    while not future.done():
        time.sleep(_LOOK_EVERY)
        if log is not None and (epochs := _epochs(log)) > told:
            told = epochs
            yield epochs
    try:
        return future.result()
    except BrokenProcessPool:
        _pool.cache_clear()
        raise


def start(
    button: PushButton,
    status: Label,
    function: Callable[..., Any],
    *args: Any,
    done: Callable[[Any], object],
    log: Path | None = None,
    after_epoch: Callable[[int], object] = lambda epoch: None,
    **settings: Any,
) -> None:
    """Run a widget's work in the helper process; disable its button meanwhile and report errors.

    Parameters
    ----------
    button, status : magicgui widgets
        The button that started the work, and the status display.
    function, args, log, settings
        As for :func:`run`.
    done : callable
        Receives the function's result, in napari's main thread.
    after_epoch : callable
        Receives the number of finished epochs whenever it grows.
    """
    from napari.qt.threading import create_worker

    def end(error: Exception | None = None) -> None:
        button.enabled = True
        if error is not None:
            status.value = " ".join(str(error).split())

    button.enabled = False
    worker = create_worker(run, function, *args, log=log, **settings, _start_thread=False)
    worker.yielded.connect(after_epoch)
    worker.returned.connect(done)
    worker.errored.connect(end)
    worker.finished.connect(end)
    worker.start()


def _epochs(log: Path) -> int:
    """Number of rows below the header."""
    try:
        return max(0, len(log.read_text(encoding="utf-8").splitlines()) - 1)
    except OSError:
        return 0

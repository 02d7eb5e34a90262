"""A process of its own for the network: the viewer never waits, and neither gets in the way of the other's libraries.

Where pictures are drawn in software, the compiler of Mesa and that of TensorFlow do not get on in one process.
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

_LOOK_EVERY = 0.2  # seconds


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
        With its arguments, of a module, so that the other process finds it.
    log : Path, optional
        Training log to watch.

    Yields
    ------
    int
        Number of finished epochs in the log, whenever it has changed.

    Returns
    -------
    object
        What the function returns. Its error is raised here; a process that has died is replaced next time.
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
    """Do a widget's work in the helper process; until it is done the button is off, and what goes wrong is said.

    Parameters
    ----------
    button, status : magicgui widgets
        What has started it, and where to say what happens.
    function, args, log, settings
        As for :func:`run`.
    done : callable
        Takes what the function returns, in napari's own thread.
    after_epoch : callable
        Takes the number of finished epochs in the log, whenever there are more.
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
    """Rows below the header."""
    try:
        return max(0, len(log.read_text(encoding="utf-8").splitlines()) - 1)
    except OSError:
        return 0

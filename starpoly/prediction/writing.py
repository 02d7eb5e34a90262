"""Write results during detection, each file in its own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from types import TracebackType

from ..io.console import progress_bar
from ..labels.streaming import LabelDtypeOverflow, StoppedError, StreamingLabels


class Writers:
    """Writer threads for growing results; a context manager that joins them on exit.

    A failure in a thread or in the context stops all threads. The first error is raised in the caller that adds labels
    or waits.

    Parameters
    ----------
    labels : StreamingLabels
        The growing labels to write.
    """

    def __init__(self, labels: StreamingLabels) -> None:
        self._labels = labels
        self._writing: list[Future[None]] = []
        self._may_end = threading.Event()
        self._last: Future[None] | None = None

    def __enter__(self) -> Writers:
        self._threads = ThreadPoolExecutor(16, "writing")
        self._measuring = self._threads.submit(self._do, self._labels.measure)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stop(error)
        self._threads.shutdown(cancel_futures=error is not None)
        if isinstance(error, StoppedError) and error.__cause__ is not None:
            raise error.__cause__ from None

    def start(self, write: Callable[[], None]) -> None:
        """Start a writer in a thread."""
        self._writing.append(self._threads.submit(self._do, write))

    def start_last(self, write: Callable[[Callable[[], None]], None]) -> None:
        """Start the writer of the last file to appear; ``write`` calls its argument before it names the file."""
        self._last = self._threads.submit(self._do, lambda: write(self._wait_for_the_others))

    def wait(self, *, shown: bool = False) -> None:
        """Wait for all writers but the last, with a progress bar on a terminal."""
        pending = [self._measuring, *self._writing]
        for future in progress_bar(
            as_completed(pending), shown=shown, desc="writing", total=len(pending), unit="file", leave=False
        ):
            future.result()

    def finish(self) -> None:
        """Release the last writer and wait for it."""
        self._may_end.set()
        if self._last is not None:
            self._last.result()

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._stop(error)
            raise

    def _stop(self, error: BaseException) -> None:
        self._labels.stop(error)
        self._may_end.set()

    def _wait_for_the_others(self) -> None:
        self._may_end.wait()
        self._labels.check()


def retry_larger(write: Callable[[], None]) -> None:
    """Write a file; restart with a larger dtype if the ids outgrow it.

    Parameters
    ----------
    write : callable
        Writes a file atomically, in the smallest dtype for the ids known so far.
    """
    while True:
        try:
            return write()
        except LabelDtypeOverflow:
            continue

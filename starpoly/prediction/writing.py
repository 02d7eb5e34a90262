"""Results that are written while they are found, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from types import TracebackType

from tqdm import tqdm

from ..labels.streaming import LabelDtypeOverflow, StoppedError, StreamingLabels


class Writers:
    """Threads that write what grows; as a context they have ended when it ends.

    Where one fails, or what is done in the context, all end. The error of the first that failed reaches whoever adds to the
    labels, or waits.

    Parameters
    ----------
    labels : StreamingLabels
        What they write from; it is measured here, too.
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
        """Write something, in a thread."""
        self._writing.append(self._threads.submit(self._do, write))

    def start_last(self, write: Callable[[Callable[[], None]], None]) -> None:
        """Write something that is to appear after all else; ``write`` calls what it is given before the file takes its name."""
        self._last = self._threads.submit(self._do, lambda: write(self._wait_for_the_others))

    def wait(self, *, shown: bool = False) -> None:
        """Wait until all is written but for the last. A bar on a terminal shows how many are."""
        pending = [self._measuring, *self._writing]
        for future in tqdm(
            as_completed(pending), "writing", len(pending), unit="file", leave=False, disable=None if shown else True
        ):
            future.result()

    def finish(self) -> None:
        """Let the last one end, and wait for it."""
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
    """Write a file; begin anew with larger numbers when its dtype no longer holds the ids.

    Parameters
    ----------
    write : callable
        Writes a file whole or not at all, with the smallest dtype that holds the ids known so far.
    """
    while True:
        try:
            return write()
        except LabelDtypeOverflow:
            continue

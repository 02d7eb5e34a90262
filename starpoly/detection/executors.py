"""Executors of tile work: the calling thread, a thread pool, or any ``concurrent.futures`` executor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Executor(Protocol):
    """Submits functions and returns futures. Functions and arguments may be pickled."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Any: ...


class SerialExecutor:
    """Runs each function at once, in the submitting thread."""

    def submit(self, function: Callable[..., R], /, *args: Any) -> Future[R]:
        """Run ``function(*args)``; the future holds its result or its error."""
        future: Future[R] = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def threads(n: int) -> Iterator[ThreadPoolExecutor]:
    """An executor of ``n`` threads. An error cancels pending work and does not wait for running work."""
    pool = ThreadPoolExecutor(n, "tiles")
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def map_tiles(
    executor: Executor, function: Callable[[T], R], tiles: Iterable[T], *, in_flight: int
) -> Iterator[tuple[T, R]]:
    """Yield results of ``function(tile)`` in tile order.

    Parameters
    ----------
    executor : Executor
    function : callable
        Takes a tile.
    tiles : iterable
    in_flight : int
        Maximum number of tiles submitted but not yet yielded. Bounds the memory.

    Yields
    ------
    tile, result
    """
    pending: deque[tuple[T, Any]] = deque()
    for tile in tiles:
        pending.append((tile, executor.submit(function, tile)))
        if len(pending) >= in_flight:
            first, future = pending.popleft()
            yield first, future.result()
    for first, future in pending:
        yield first, future.result()

"""Who runs the tiles: this thread, a few threads, or anything that submits like ``concurrent.futures``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Executor(Protocol):
    """Runs functions; what it returns has a ``result()``. Functions and arguments may have to be pickled."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Any: ...


class SerialExecutor:
    """Runs each function at once, in the thread that submits it."""

    def submit(self, function: Callable[..., R], /, *args: Any) -> Future[R]:
        """Run ``function(*args)``; its result, or the error that it raised, is in the future."""
        future: Future[R] = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def threads(n: int) -> Iterator[ThreadPoolExecutor]:
    """An executor of ``n`` threads. After an error nothing new is begun, and nobody waits for what is under way."""
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
    """Results of ``function(tile)`` in the order of the tiles.

    Parameters
    ----------
    executor : Executor
    function : callable
        Takes a tile.
    tiles : iterable
    in_flight : int
        At most so many tiles are submitted and not yet yielded, which bounds the memory.

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

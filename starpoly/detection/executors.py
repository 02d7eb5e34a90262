"""Executors of tile work: the calling thread, a thread pool, any ``concurrent.futures`` executor, the workers of a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..io.readers.given import is_in_memory

T = TypeVar("T")
R = TypeVar("R")

#: Tasks submitted for each slot of a cluster: one runs, others wait at hand.
_AHEAD = 3
#: Tiles of a task at most. Many tiles make the cost of a task small beside its work; few balance the load.
_LARGEST_GROUP = 8
#: Tasks of an image for each slot at least, as far as there are tiles.
_LEAST_TASKS = 4


class Executor(Protocol):
    """Submits functions and returns futures. Functions and arguments may be pickled."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Any: ...


@runtime_checkable
class ClusterExecutor(Executor, Protocol):
    """An executor of many workers, to which a task is worth several tiles."""

    @property
    def n_slots(self) -> int:
        """Number of tasks that run at once; changes as workers come and go."""
        ...


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
    executor: Executor, function: Callable[[T], R], tiles: Iterable[T], *, in_flight: int | Callable[[], int]
) -> Iterator[tuple[T, R]]:
    """Yield results of ``function(tile)`` in tile order. An error cancels what is submitted.

    Parameters
    ----------
    executor : Executor
    function : callable
        Takes a tile.
    tiles : iterable
    in_flight : int or callable
        Maximum number of tiles submitted but not yet yielded. Bounds the memory. A callable is asked for each tile.

    Yields
    ------
    tile, result
    """
    pending: deque[tuple[T, Any]] = deque()
    try:
        for tile in tiles:
            pending.append((tile, executor.submit(function, tile)))
            most = in_flight() if callable(in_flight) else in_flight
            while len(pending) >= most:
                yield _first(pending)
        while pending:
            yield _first(pending)
    finally:
        for _, future in pending:
            future.cancel()


def _first(pending: deque[tuple[T, Any]]) -> tuple[T, Any]:
    tile, future = pending[0]
    result = future.result()
    pending.popleft()
    return tile, result


def map_groups(executor: ClusterExecutor, function: Callable[[T], R], tiles: Sequence[T]) -> Iterator[tuple[T, R]]:
    """As :func:`map_tiles`, for the workers of a cluster: a task is a group of neighbouring tiles.

    Results do not depend on the groups.

    Parameters
    ----------
    executor : ClusterExecutor
    function : callable
        Takes a tile.
    tiles : sequence
    """
    size = max(1, min(_LARGEST_GROUP, len(tiles) // (_LEAST_TASKS * executor.n_slots)))
    groups = (tiles[start : start + size] for start in range(0, len(tiles), size))
    for group, results in map_tiles(
        executor, partial(_each, function), groups, in_flight=partial(tasks_at_once, executor)
    ):
        yield from zip(group, results, strict=True)


def spread_over(executor: Executor | None, image: Any) -> Callable[..., Any]:
    """What runs work on pieces of an image, in order: the workers of a cluster, if they can open it; else ``map``.

    Parameters
    ----------
    executor : Executor, optional
    image : array-like
        What is in memory is not sent around.
    """
    if is_in_memory(image) or not isinstance(executor, ClusterExecutor):
        return map
    return partial(_map_on, executor)


def _map_on(executor: ClusterExecutor, work: Callable[[T], R], pieces: Iterable[T]) -> Iterator[R]:
    for _, result in map_tiles(executor, work, pieces, in_flight=partial(tasks_at_once, executor)):
        yield result


def tasks_at_once(executor: ClusterExecutor) -> int:
    """Number of tasks that keep a cluster busy and bound what waits in it."""
    return _AHEAD * executor.n_slots


def _each(function: Callable[[T], R], group: Sequence[T]) -> list[R]:
    return [function(tile) for tile in group]

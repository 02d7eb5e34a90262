"""Cache of decoded blocks, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from numpy.typing import NDArray


class BlockCache:
    """Least-recently-used cache of blocks, limited in bytes. Thread-safe.

    Concurrent requests for a block decode it once.

    Parameters
    ----------
    max_bytes : int
        Limit on the total size of cached blocks.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self._blocks: OrderedDict[Hashable, NDArray] = OrderedDict()
        self._in_work: dict[Hashable, Future[NDArray]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], NDArray]) -> NDArray:
        """The block ``key``, created by ``make`` if missing. Do not write to it."""
        with self._lock:
            if key in self._blocks:
                self._blocks.move_to_end(key)
                return self._blocks[key]
            others = self._in_work.get(key)
            if others is None:
                mine = self._in_work[key] = Future()
        if others is not None:
            return others.result()
        try:
            block = make()
        except BaseException as error:
            with self._lock:
                del self._in_work[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._in_work[key]
            self._keep(key, block)
        mine.set_result(block)
        return block

    def clear(self) -> None:
        """Drop all blocks."""
        with self._lock:
            self._blocks.clear()
            self.n_bytes = 0

    def _keep(self, key: Hashable, block: NDArray) -> None:
        self._blocks[key] = block
        self.n_bytes += _held_bytes(block)
        while self.n_bytes > self.max_bytes:
            _, oldest = self._blocks.popitem(last=False)
            self.n_bytes -= _held_bytes(oldest)


def _held_bytes(block: NDArray) -> int:
    """Bytes in memory: one value, repeated, takes none to speak of."""
    return block.nbytes if any(block.strides) else block.itemsize

"""Threads for kernels, which release the GIL, and how much memory the C library keeps."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

_PARTS = 4
"""Parts per thread: enough that no thread waits long for the others."""
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
"""Of glibc's <malloc.h>: free memory that is given back, memory asked for at once, blocks outside the heap, heaps."""
_KEPT = 1 << 30
"""Most free memory at the end of the heap that is kept, in bytes."""


def n_threads() -> int:
    """Number of threads to use: ``NUMBA_NUM_THREADS`` if set, else one per processor that this process may use."""
    wanted = os.environ.get("NUMBA_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parts(work: Callable[[int, int], None], n: int, threads: int, *, parts: int | None = None) -> None:
    """Call ``work(start, stop)`` for parts that make up ``range(n)``, in several threads.

    Parameters
    ----------
    work : callable
        Called for parts at the same time and in any order.
    n : int
        Length of the whole.
    threads : int
        Most parts at a time; with 1, ``work`` is called once, in this thread.
    parts : int, optional
        Number of parts; by default a few per thread.
    """
    if threads <= 1 or n < 2:
        work(0, n)
        return
    n_parts = min(n, parts or _PARTS * threads)
    borders = [n * part // n_parts for part in range(n_parts + 1)]
    with ThreadPoolExecutor(threads, "geometry") as pool:
        for done in [pool.submit(work, *part) for part in pairwise(borders)]:
            done.result()


def trim_malloc() -> None:
    """Return freed memory to the system, where glibc keeps it; after loading a model that is much."""
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)


def limit_malloc_arenas() -> None:
    """Let new threads share one heap, where glibc would give each its own.

    Threads then reuse what others have freed; else each keeps as much memory as it ever needed.
    """
    _set_malloc(_M_ARENA_MAX, 1)


def keep_freed_memory() -> None:
    """Let the next layer of a network reuse what the last one freed, on glibc.

    Otherwise each large activation is new memory from the system, which clears it page by page: a quarter to a half of the
    processor time of a convolutional network. At most 1 GiB is kept. Threads share one heap.
    """
    _set_malloc(_M_ARENA_MAX, 1)
    _set_malloc(_M_MMAP_MAX, 0)
    _set_malloc(_M_TRIM_THRESHOLD, _KEPT)
    _set_malloc(_M_TOP_PAD, _KEPT >> 4)


def _set_malloc(parameter: int, value: int) -> None:
    try:
        ctypes.CDLL(None).mallopt(parameter, value)
    except (AttributeError, OSError, TypeError):  # another C library
        return

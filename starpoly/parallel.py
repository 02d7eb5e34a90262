"""Kernels in several threads: they release the GIL, so plain threads do."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

#: parts per thread, so that none waits long for the others
_PARTS = 4
#: M_ARENA_MAX of <malloc.h>
_MOST_HEAPS = -8


def n_threads() -> int:
    """Threads to use: ``NUMBA_NUM_THREADS`` where that is set, else one for each processor that is allowed."""
    wanted = os.environ.get("NUMBA_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parts(work: Callable[[int, int], None], n: int, threads: int, *, parts: int | None = None) -> None:
    """Call ``work(start, stop)`` for parts of ``range(n)`` that make up the whole, in several threads.

    Parameters
    ----------
    work : callable
        Does a part; parts may be done at the same time and in any order.
    n : int
        Length of the whole.
    threads : int
        At most so many parts are done at a time; with 1 there are no threads, and one part.
    parts : int, optional
        Into how many; by default a few for each thread.
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
    """Return memory that is free to the system, where the C library (glibc) keeps it; after loading a model that is much."""
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)


def limit_malloc_arenas() -> None:
    """Let threads that are begun from now on share heaps, where the C library (glibc) would give each its own.

    What one has freed the others can use then; else each keeps as much as it has ever needed.
    """
    try:
        ctypes.CDLL(None).mallopt(_MOST_HEAPS, 1)
    except (AttributeError, OSError, TypeError):  # another C library
        return

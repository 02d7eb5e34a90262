"""How many threads this process uses, whatever the library; threads for kernels; how much memory the C library keeps.

One number holds for all: the processors that this process may use, by affinity and by the quota of its control group, or what
:func:`use_threads` says. No result depends on it.
"""

from __future__ import annotations

import ctypes
import gc
import math
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from pathlib import Path

from .errors import ConfigError

MOST_THREADS = 1024
"""Of one kind: each takes memory."""
_PARTS = 4
"""Parts per thread: enough that no thread waits long for the others."""
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
"""Of glibc's <malloc.h>: free memory that is given back, memory asked for at once, blocks outside the heap, heaps."""
_KEPT = 1 << 30
"""Most free memory at the end of the heap that is kept, in bytes."""


_NUMBER = "NUMBA_NUM_THREADS"
"""Environment variable that holds the number."""
_ALIKE = (
    _NUMBER, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "BLOSC_NTHREADS", "TIFFFILE_NUM_THREADS",
)  # fmt: skip
"""Those of all libraries: numba, TensorFlow, OpenMP, BLAS, decoders."""
_CGROUPS, _OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def n_threads() -> int:
    """Number of threads to use: ``NUMBA_NUM_THREADS`` if set, else one per processor that this process may use."""
    wanted = os.environ.get(_NUMBER, "")
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else n_processors()


def n_processors() -> int:
    """Number of processors that this process may use: by its affinity, and by the quota of its control group (Linux)."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _own_quota()
    return own if quota is None else max(1, min(own, math.ceil(quota)))


@cache
def _own_quota() -> float | None:
    """:func:`cgroup_quota` of this process; its files are read once."""
    return cgroup_quota()


def cgroup_quota(root: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> float | None:
    """Processors that the control group of this process and those above it may use at a time; None if unlimited or unknown.

    Parameters
    ----------
    root : Path
        Where control groups are mounted.
    own : Path
        The file that names those of this process.
    """
    try:
        lines = own.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    quotas: list[float] = []
    for _, _, line in (line.partition(":") for line in lines):
        controllers, _, path = line.partition(":")
        if not controllers:  # version 2
            quotas += _quotas(root, path)
        elif "cpu" in controllers.split(","):
            quotas += _quotas(root / "cpu", path)
    return min(quotas, default=None)


def _quotas(root: Path, path: str) -> list[float]:
    """Quotas of a control group and of those above it. In a container, its own one is the root."""
    folder = root / path.strip("/")
    folders = [folder, *folder.parents[: len(folder.parts) - len(root.parts)]]
    return [quota for quota in map(_quota_of, {*folders, root}) if quota is not None]


def _quota_of(folder: Path) -> float | None:
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((folder / name).read_text(encoding="ascii") for name in names).split()
            return int(quota) / int(period) if int(quota) > 0 and int(period) > 0 else None
        except (OSError, ValueError):  # not there, or "max"
            continue
    return None


def thread_settings(n: int) -> dict[str, str]:
    """Environment variables with which every library uses ``n`` threads."""
    return dict.fromkeys(_ALIKE, str(n))


def use_threads(n: int) -> None:
    """Let this process use ``n`` threads: networks, kernels and decoders alike. Results are the same bit for bit.

    To be called before the first model is opened: libraries keep the number that they started with. Processes that this one
    starts inherit it. Without a call, the environment counts, then the processors that this process may use.

    Parameters
    ----------
    n : int
        At most :data:`MOST_THREADS`.

    Raises
    ------
    ConfigError
        If it is not positive, or larger.
    """
    if not 1 <= n <= MOST_THREADS:
        raise ConfigError(f"threads: expected 1 to {MOST_THREADS}, got {n}")
    os.environ.update(thread_settings(n))


def in_parts(work: Callable[[int, int], None], n: int, threads: int, *, parts: int | None = None) -> None:
    """Call ``work(start, stop)`` for parts that make up ``range(n)``, in several threads, of which this is one.

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
    waiting = deque(pairwise(borders))

    def take() -> None:
        while True:
            try:
                part = waiting.popleft()
            except IndexError:
                return
            work(*part)

    helpers = [_helpers(threads - 1).submit(take) for _ in range(min(threads, n_parts) - 1)]
    try:
        take()
    finally:
        waiting.clear()  # after an error no part is begun
        begun = [helper for helper in helpers if not helper.cancel()]
        wait(begun)
    for helper in begun:
        helper.result()


@cache
def _helpers(n: int) -> ThreadPoolExecutor:
    """Threads that help whoever calls :func:`in_parts`; starting some each time would take as long as small work."""
    return ThreadPoolExecutor(n, "geometry")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)  # threads stay in the process that started them


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

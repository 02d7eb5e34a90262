"""Parts in threads make up the whole."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from starpoly.parallel import in_parts, n_threads


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_parts_make_up_the_whole(n, threads):
    seen = []
    in_parts(lambda start, stop: seen.extend(range(start, stop)), n, threads)
    assert sorted(seen) == list(range(n))


def test_an_error_in_a_part_is_not_lost():
    with pytest.raises(ZeroDivisionError):
        in_parts(lambda start, stop: 1 / (start - start), 10, 2)


def test_number_of_threads_can_be_set(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert n_threads() == 3
    monkeypatch.delenv("NUMBA_NUM_THREADS")
    assert n_threads() >= 1


_FAULTS = """
import resource
import numpy as np
from starpoly.parallel import keep_freed_memory
if {kept}:
    keep_freed_memory()
for turn in range(12):
    if turn == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(40_000_000, np.uint8).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_freed_memory_is_used_again():
    def faults(*, kept):
        # without huge pages, so that faults count what the system clears
        command = [sys.executable, "-c", _FAULTS.format(kept=kept)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)

    assert faults(kept=True) < 100 < faults(kept=False)

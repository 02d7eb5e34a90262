"""Parts in threads make up the whole."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time

import pytest

from starpoly.errors import ConfigError
from starpoly.parallel import cgroup_quota, in_parts, n_processors, n_threads, thread_settings, use_threads


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_parts_make_up_the_whole(n, threads):
    seen = []
    in_parts(lambda start, stop: seen.extend(range(start, stop)), n, threads)
    assert sorted(seen) == list(range(n))


def test_an_error_in_a_part_is_not_lost():
    with pytest.raises(ZeroDivisionError):
        in_parts(lambda start, stop: 1 / (start - start), 10, 2)


def test_an_error_in_this_thread_waits_for_the_others_and_begins_no_part():
    here, release, done = threading.current_thread(), threading.Event(), []

    def work(start, stop):
        if threading.current_thread() is here:
            release.set()
            raise ZeroDivisionError
        release.wait(60)
        time.sleep(0.01)
        done.append(start)

    with pytest.raises(ZeroDivisionError):
        in_parts(work, 100, 2)
    assert len(done) <= 1  # the one that had begun, if any had
    before = list(done)
    in_parts(lambda start, stop: None, 100, 2)
    assert done == before


def test_work_may_itself_be_in_parts():
    seen = []

    def outer(start, stop):
        in_parts(lambda first, end: seen.extend((start, i) for i in range(first, end)), 10, 2)

    in_parts(outer, 8, 2, parts=8)
    assert sorted(seen) == [(start, i) for start in range(8) for i in range(10)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_helpers_of_its_own():
    in_parts(lambda start, stop: None, 10, 2)
    child = """
import os
from starpoly.parallel import in_parts
seen = []
in_parts(lambda start, stop: seen.extend(range(start, stop)), 10, 2)
if os.fork() == 0:
    seen.clear()
    in_parts(lambda start, stop: seen.extend(range(start, stop)), 10, 2)
    os._exit(sorted(seen) != list(range(10)))
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    subprocess.run([sys.executable, "-c", child], check=True, timeout=120)


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


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        ({"cpu.max": "150000 100000"}, "0::/\n", 1.5),
        ({"cpu.max": "max 100000"}, "0::/\n", None),
        ({"job/cpu.max": "max 100000", "cpu.max": "300000 100000"}, "0::/job\n", 3.0),
        ({"job/cpu.max": "200000 100000", "cpu.max": "max 100000"}, "0::/job/step\n", 2.0),
        (
            {"cpu/a/cpu.cfs_quota_us": "400000", "cpu/a/cpu.cfs_period_us": "100000"},
            "4:cpu,cpuacct:/a\n3:cpuset:/\n",
            4.0,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/\n", None),
        ({"cpu.max": "no numbers"}, "0::/\n", None),
        ({}, "0::/\n", None),
    ],
)
def test_quota_of_a_control_group(tmp_path, files, own, expected):
    root = tmp_path / "cgroup"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "own").write_text(own)
    assert cgroup_quota(root, tmp_path / "own") == expected
    assert cgroup_quota(root, tmp_path / "missing") is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 8), (2.5, 3), (0.1, 1), (64.0, 8)])
def test_processors_are_those_of_affinity_and_quota(monkeypatch, quota, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr("starpoly.parallel._own_quota", lambda: quota)
    assert n_processors() == expected


def test_one_number_for_every_library(monkeypatch):
    monkeypatch.setattr("starpoly.parallel.n_processors", lambda: 3)
    monkeypatch.setattr("os.environ", {"OMP_NUM_THREADS": "5"})
    assert n_threads() == 3
    use_threads(2)
    assert n_threads() == 2
    assert os.environ == thread_settings(2)
    for n in (0, 99_999):
        with pytest.raises(ConfigError, match=f"expected 1 to 1024, got {n}"):
            use_threads(n)

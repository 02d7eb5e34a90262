"""Read many inputs in processes of their own, which may crash or hang."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

OUTCOMES = ("survived", "refused", "foreign", "hang", "memory")
FAILURES = OUTCOMES[2:]

SECONDS = 30.0
"""An input that takes more processor time hangs, whatever else the machine does."""

_WAITING_SECONDS = 900.0
"""As does one that takes more time by the clock, waiting."""

_STARTING_SECONDS = 120.0


@dataclass
class Tally:
    """What became of the inputs.

    Attributes
    ----------
    counts : Counter of str
        By outcome.
    failures : list of dict
        Of inputs that were neither survived nor refused.
    seconds : float
        Of all inputs together.
    slowest : dict
        The input that took longest.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    slowest: dict[str, Any] = field(default_factory=dict)

    def add(self, found: dict[str, Any]) -> None:
        """Count an input."""
        self.counts[found["outcome"]] += 1
        self.seconds += found["seconds"]
        if found["seconds"] > self.slowest.get("seconds", 0):
            self.slowest = found
        if found["outcome"] in FAILURES:
            self.failures.append(found)

    def __str__(self) -> str:
        return ", ".join(f"{outcome} {self.counts[outcome]}" for outcome in OUTCOMES)


def run_campaign(
    first: int, n: int, workers: int, said: Callable[[dict[str, Any]], None] = lambda found: None
) -> Tally:
    """Read the inputs ``first`` ... ``first + n - 1``.

    Parameters
    ----------
    first, n : int
    workers : int
        Processes at a time.
    said : callable, optional
        Is told of each input.
    """
    tally, lock, numbers = Tally(), Lock(), iter(range(first, first + n))

    def work(_: int) -> None:
        with _Worker() as worker:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                found = worker.ask(number)
                with lock:
                    tally.add(found)
                    said(found)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    return tally


class _Worker:
    """A process that reads one input after another, made anew when one ends it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, number: int) -> dict[str, Any]:
        """What becomes of an input."""
        fresh = self._process is None
        if self._process is None:
            self._process = _start()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        if not _answers(process, SECONDS + (_STARTING_SECONDS if fresh else 0)):
            self._end()
            return {"number": number, "outcome": "hang", "seconds": SECONDS, "error": f"no end within {SECONDS:.0f} s"}
        line = process.stdout.readline()
        if line:
            return json.loads(line)
        status = process.wait()
        self._end()
        return {
            "number": number,
            "outcome": "foreign",
            "seconds": 0.0,
            "error": f"the process ended with status {status}",
        }

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _answers(process: subprocess.Popen[str], allowed: float) -> bool:
    """Wait for an answer for so many seconds of the process's own time."""
    start, used = time.monotonic(), _processor_seconds(process.pid)
    while time.monotonic() - start < _WAITING_SECONDS:
        if select.select([process.stdout], [], [], 1.0)[0]:
            return True
        now = _processor_seconds(process.pid)
        if (time.monotonic() - start if now is None or used is None else now - used) > allowed:
            return False
    return False


def _processor_seconds(process: int) -> float | None:
    """Processor time of a process, None where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start() -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    settings = {
        "PYTHONPATH": path,
        "STARPOLY_DECODE_SECONDS": "0",  # what would not end shows as a hang
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
    }
    command = [sys.executable, "-m", "fuzz.inputs"]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | settings, cwd=root
    )

"""Run a command in a process of its own and measure it: time, memory, processor."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_EVERY = 0.02  # seconds between looks at the process
_KEEP_EVERY = 1.0  # seconds between looks that are kept
_MB = 1e6
_TAIL = 4000  # characters of what it said


@dataclass
class Measured:
    """What a process took.

    ``peak_mb`` is the largest resident memory that the kernel saw (VmHWM, which does not miss a peak between two looks):
    the process's own pages (anonymous, at most ``anonymous_mb`` at the moments of looking) and mapped files, of which
    libraries are most. What the kernel caches of files that are read and written is in neither. ``rusage_mb`` is the
    same by getrusage, which counts the caller's memory as well where that was larger at the start.
    ``memory`` holds (seconds, resident MB) about once a second. ``others`` is how many cores other processes, and other
    machines on the same hardware, kept busy meanwhile: well above 0, the time is not the process's own.
    """

    command: list[str]
    status: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    anonymous_mb: float
    rusage_mb: float
    others: float
    memory: list[tuple[float, float]] = field(default_factory=list)
    stdout: str = ""
    stderr: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types; of what it said, the end."""
        return asdict(self) | {"stdout": self.stdout[-_TAIL:], "stderr": self.stderr[-_TAIL:]}


def measure(
    command: Sequence[str | Path],
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    memory_limit_mb: float | None = None,
) -> Measured:
    """Run a command to its end.

    Parameters
    ----------
    command : sequence of str
    folder : Path
        Gets ``stdout.txt`` and ``stderr.txt``.
    environment : mapping, optional
        Variables to set on top of the present ones.
    memory_limit_mb : float, optional
        The process is killed when its resident memory is larger; its status is then -9.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    looks = _Looks()
    busy = _busy_seconds()
    with open(folder / "stdout.txt", "wb") as out, open(folder / "stderr.txt", "wb") as err:
        start = time.perf_counter()
        process = subprocess.Popen(words, stdout=out, stderr=err, env={**os.environ, **(environment or {})})
        try:
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                resident = looks.look(process.pid, time.perf_counter() - start)
                if memory_limit_mb is not None and resident > memory_limit_mb:
                    process.send_signal(signal.SIGKILL)
                time.sleep(_EVERY)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    others = max(0.0, _busy_seconds() - busy - cpu_seconds) / seconds
    return Measured(
        words, process.returncode, seconds, cpu_seconds, looks.peak, looks.anonymous,
        usage.ru_maxrss * 1024 / _MB, round(others, 3), looks.kept,
        *((folder / name).read_text(encoding="utf-8", errors="replace") for name in ("stdout.txt", "stderr.txt")),
    )  # fmt: skip


class _Looks:
    """What is seen of a process's memory while it runs, in MB."""

    def __init__(self) -> None:
        self.peak = self.anonymous = 0.0
        self.kept: list[tuple[float, float]] = []

    def look(self, pid: int, seconds: float) -> float:
        memory = memory_of(pid)
        self.peak = max(self.peak, memory.get("VmHWM", 0.0))
        self.anonymous = max(self.anonymous, memory.get("RssAnon", 0.0))
        resident = memory.get("VmRSS", 0.0)
        if not self.kept or seconds - self.kept[-1][0] >= _KEEP_EVERY:
            self.kept.append((round(seconds, 2), round(resident, 1)))
        return resident


def memory_of(pid: int | str = "self") -> dict[str, float]:
    """Memory of a process in MB, by the kernel's names: VmHWM, VmRSS, RssAnon, RssFile; empty when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    wanted = ("VmHWM", "VmRSS", "RssAnon", "RssFile")
    fields = (line.split() for line in lines if line.startswith(wanted))
    return {name.rstrip(":"): int(kilobytes) * 1024 / _MB for name, kilobytes, *_ in fields}


def _busy_seconds() -> float:
    """Seconds that all cores together have been busy, or taken away by other machines."""
    numbers = [int(number) for line in _lines("/proc/stat")[:1] for number in line.split()[1:9]]
    idle = sum(numbers[3:5])  # idle, and waiting for a disk
    return (sum(numbers) - idle) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """What the figures were measured on, without names of machines."""
    import platform

    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    total = next((int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": model, "cores": cores, "memory_gb": round(total / 1e9, 1), "python": platform.python_version()}


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []

"""Run a command as a container engine would: a root of layers, no network, little shared memory, limited memory.

Needs Linux with ``unshare`` and ``mount``, and either root or user namespaces. Without root the one user in the box is
its root, and the memory limit is one of address space.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SHM = 64 * 2**20
_CGROUPS = Path("/sys/fs/cgroup")
_INSIDE = Path(__file__).with_name("inside.py")


@dataclass(frozen=True)
class Box:
    """What a command is run in.

    Parameters
    ----------
    layers : sequence of Path
        Folders that make up the root, the uppermost first.
    changes : Path
        Folder that gets what is written outside the binds; beside it lies the engine's own ``work`` folder.
    borrowed : sequence of str
        Folders of this machine that are seen at the same place, not to be written.
    binds : sequence of (Path, str, bool)
        Further ones: source, target, whether it may be written.
    user : (int, int), optional
        User and group id; root by default.
    read_only : bool
        Whether nothing but the binds and /dev/shm can be written.
    network : bool
        Whether the box sees this machine's network.
    memory : int, optional
        Limit in bytes.
    """

    layers: Sequence[Path]
    changes: Path
    borrowed: Sequence[str] = ()
    binds: Sequence[tuple[Path, str, bool]] = ()
    user: tuple[int, int] | None = None
    read_only: bool = False
    network: bool = False
    memory: int | None = None


@dataclass(frozen=True)
class Done:
    """How a command ended: status, seconds from start to end, and the largest memory.

    ``largest_process`` is resident memory, mapped libraries included; ``group`` is what the limit counts: all processes and
    the files that the kernel cached for them, but for those that it had cached before (None without control groups).
    """

    status: int
    seconds: float
    largest_process: int
    group: int | None
    limited_by: str = ""
    output: str = field(default="", repr=False)


def run(
    box: Box, command: Sequence[str], environment: Mapping[str, str], cwd: str = "/", *, quiet: bool = False
) -> Done:
    """Run a command in a box to its end; what it says is passed on, or returned if ``quiet``."""
    box.changes.mkdir(parents=True, exist_ok=True)
    work = box.changes.with_name(f"{box.changes.name}.work")
    work.mkdir(exist_ok=True)
    rooted = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="starpoly-box-") as folder, _control_group(box.memory) as group:
        root = Path(folder, "root")
        root.mkdir()
        layers = ":".join(map(str, box.layers))
        overlay = f"lowerdir={layers},upperdir={box.changes},workdir={work}" + ("" if rooted else ",userxattr")
        # an address space is larger than the memory in use: libraries are mapped, not read
        address_space = None if group or box.memory is None else box.memory
        settings = {
            "root": str(root), "overlay": overlay, "borrowed": list(box.borrowed),
            "binds": [(str(source), target, writable) for source, target, writable in box.binds],
            "read_only": box.read_only, "network": box.network, "shm": SHM, "address_space": address_space,
            "user": box.user, "cwd": cwd, "command": list(command), "environment": dict(environment),
        }  # fmt: skip
        settings_file = Path(folder, "box.json")
        settings_file.write_text(json.dumps(settings), encoding="utf-8")
        spaces = ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        spaces += [] if box.network else ["--net"]
        spaces += [] if rooted else ["--user", "--map-root-user"]
        start = time.perf_counter()
        process = subprocess.Popen(
            ["unshare", *spaces, sys.executable, "-I", str(_INSIDE), str(settings_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            preexec_fn=group.join if group else None,
        )
        try:
            output = process.stdout.read() if process.stdout else b""
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        limited_by = "" if box.memory is None else "control group" if group else "address space"
        return Done(
            process.returncode, seconds, usage.ru_maxrss * 1024, group.peak() if group else None, limited_by,
            output.decode(errors="replace"),
        )  # fmt: skip


class _Group:
    """A control group of version 1 or 2 with a limit of memory."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        first = (folder / "memory.limit_in_bytes").exists()
        (folder / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(limit))
        self._peak = folder / ("memory.max_usage_in_bytes" if first else "memory.peak")

    def join(self) -> None:
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self) -> int | None:
        return int(self._peak.read_text()) if self._peak.exists() else None


@contextlib.contextmanager
def _control_group(limit: int | None) -> Iterator[_Group | None]:
    """A new group, or None where there is no limit or no right to make one."""
    if limit is None:
        yield None
        return
    parent = _CGROUPS / "memory" if (_CGROUPS / "memory").is_dir() else _CGROUPS
    folder = parent / f"starpoly-{os.getpid()}-{time.monotonic_ns()}"
    try:
        folder.mkdir()
        group = _Group(folder, limit)
    except OSError:
        with contextlib.suppress(OSError):
            folder.rmdir()
        yield None
        return
    try:
        yield group
    finally:
        for _ in range(50):  # its last process may not be gone yet
            try:
                folder.rmdir()
                break
            except OSError:
                time.sleep(0.02)

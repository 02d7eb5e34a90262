"""The input of a number, and what became of it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .corpus import Seed
from .mutations import mutate
from .targets import Bytes, run

BEYOND = 64 << 20
RATIO = 20
"""Memory that an input may take: so many bytes beyond the region that is asked for, or beyond so many times its size."""


def write_input(number: int, seeds: Sequence[Seed], folder: Path) -> tuple[str, Path, int]:
    """Write the input of a number into a folder.

    Parameters
    ----------
    number : int
        Every number is a seed and its changes; the seeds take turns.
    seeds : sequence of Seed
        All of them, see :func:`fuzz.corpus.make_corpus`.
    folder : Path
        Empty.

    Returns
    -------
    kind : str
        Of the target.
    path : Path
        What the target reads.
    n_bytes : int
        Size of all files.
    """
    rng = np.random.default_rng([18, number])
    seed = seeds[number % len(seeds)]
    files, specials = mutate(seed, seeds, rng)
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    for name, kind in specials.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            _SPECIALS[kind](place)
    return seed.kind, folder / seed.name, sum(map(len, files.values()))


_SPECIALS = {
    "fifo": os.mkfifo if hasattr(os, "mkfifo") else Path.mkdir,
    "folder": Path.mkdir,
    "link": lambda place: place.symlink_to("/dev/zero" if os.path.exists("/dev/zero") else __file__),
    "loop": lambda place: place.symlink_to(place),
}


def try_number(number: int, seeds: Sequence[Seed]) -> dict[str, Any]:
    """Read the input of a number; the outcome as JSON types.

    ``outcome`` is ``survived``, ``refused``, ``foreign`` (an error that starpoly does not raise on purpose) or ``memory``.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    try:
        kind, path, n_bytes = write_input(number, seeds, folder)
        size, start, before = Bytes(), time.monotonic(), _start_of_memory()
        found: dict[str, Any] = {"number": number, "kind": kind, "name": path.name}
        try:
            found["outcome"] = "survived" if run(kind, path, size) else "refused"
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)
            where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in last][-4:]
            found |= {"outcome": "foreign", "error": f"{type(error).__name__}: {error}"[:300], "where": where}
        beyond = _peak() - before - max(size.asked, RATIO * n_bytes)
        if found["outcome"] != "foreign" and beyond > BEYOND:
            found |= {"outcome": "memory", "error": f"{beyond >> 20} MB beyond what is allowed"}
        return found | {"seconds": round(time.monotonic() - start, 3)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_of_memory() -> int:
    """Forget the peak of this process; the bytes that it holds now, 0 where the system does not say."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return _peak()


def _peak() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def serve() -> None:
    """Read numbers from standard input, a line each, and answer each with a line of JSON."""
    from .corpus import make_corpus

    answers = os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    _limit_memory()
    seeds = make_corpus()
    for line in sys.stdin:
        answers.write(json.dumps(try_number(int(line), seeds)) + "\n")
        answers.flush()


def _limit_memory() -> None:
    """An input that asks for all memory must not take the machine with it."""
    try:
        import resource

        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + (6 << 30),) * 2)
    except (ImportError, OSError, ValueError):
        return


if __name__ == "__main__":
    serve()

"""A dask cluster of real processes on this machine, started by dask's own command line, and models for its workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from starpoly.network.dense_output import DenseOutput
from starpoly.network.storage.folder import FORMAT

from support.painted import BrightModel, Painted

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240
"""Longest wait for anything: processes start slowly on a busy machine."""
PATIENT = {f"DASK_DISTRIBUTED__COMM__TIMEOUTS__{name}": f"{SECONDS}s" for name in ("CONNECT", "TCP")}
"""Environment of processes that wait so long for one another, too: loading a network may hold a worker up."""


class Processes:
    """A scheduler, and workers that come and go."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.file, self._folder, self._stack = folder / "scheduler.json", folder, stack
        self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        wait_until(self.file.exists)
        wait_until(lambda: self._address() is not None)

    @property
    def address(self) -> str:
        return str(self._address())

    def _address(self) -> str | None:
        try:
            return json.loads(self.file.read_text())["address"]
        except (OSError, ValueError):  # not written yet
            return None

    def worker(self, name: str, *options: str, **environment: str) -> subprocess.Popen:
        """A worker in one process, without a nanny that would start it again."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        common = ("--no-nanny", "--name", name, "--local-directory", str(folder), "--memory-limit", "0")
        return self._start("worker", self.address, *common, *(options or ("--nthreads", "1")), **environment)

    def _start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        log = self._stack.enter_context((self._folder / f"{arguments[0]}.log").open("a"))
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"],
            stdout=log,
            stderr=log,
            cwd=self._folder,
            env=os.environ | PATIENT | {"PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        )
        self._stack.callback(process.wait, SECONDS)
        self._stack.callback(process.kill)
        return process


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """A scheduler; it and its workers end with the block."""
    with ExitStack() as stack:
        yield Processes(folder, stack)


def wait_until(event, seconds: float = SECONDS) -> None:
    """Wait until a function is true."""
    end = time.monotonic() + seconds
    while not event():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


class Slow(Painted):
    """Whatever is bright is a cell; takes its time, and notes each window in a file of a folder."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(max_distance=10.0)
        self._bright, self._folder, self._seconds = BrightModel()._predictor, folder, seconds

    def __call__(self, batch):
        with open(self._folder / f"windows_{os.getpid()}", "a") as file:
            file.write(".")
        time.sleep(self._seconds)
        return self._bright(batch)


class SlowModel(BrightModel):
    """The facade around it."""

    def __init__(self, folder: Path, seconds: float = 0.05) -> None:
        super().__init__()
        self._predictor = Slow(folder, seconds)


class ByBatch(Painted):
    """Whatever is bright is a cell; distances depend on how many windows come at once, and how large they are."""

    def __init__(self) -> None:
        super().__init__(max_distance=10.0)
        self._bright = BrightModel()._predictor

    def __call__(self, batch):
        found = self._bright(batch)
        n, height, width = batch.shape[:3]
        distances = found.distances * np.float32(1 + (7 * n + height + 3 * width) / 1000)
        return DenseOutput(**found.arrays | {"distances": distances})


class ByBatchModel(BrightModel):
    """The facade around it."""

    def __init__(self) -> None:
        super().__init__()
        self._predictor = ByBatch()


def windows(folder: Path) -> dict[int, int]:
    """Number of windows by process."""
    return {int(path.name.split("_")[1]): path.stat().st_size for path in folder.glob("windows_*")}


def bright_folder(folder: Path) -> Path:
    """What stands for a model folder; :func:`load_bright` loads it."""
    folder.mkdir()
    described = {"format": FORMAT, "weights_sha256": "", **BrightModel().spec.to_dict()}
    (folder / "model.json").write_text(json.dumps(described))
    return folder


def load_bright(folder: Path) -> BrightModel:
    """The bright model, whatever is in its folder."""
    return BrightModel()

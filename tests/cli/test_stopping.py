"""Ctrl-C and SIGTERM: the exit status, a word on how to go on, no traceback, and the same bytes in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly.cli import info
from starpoly.cli.main import main
from starpoly.cli.stopping import Terminated, stoppable
from starpoly.io.files.atomic import beside
from starpoly.model import StarPoly2D
from starpoly.network import quiet
from starpoly.prediction import opening

from support.painted import PaintedModel, disks, paint

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

#: The command line with a painted network, in which one part takes as long as the test wants
PROGRAM = """
import signal, sys, time
from pathlib import Path
from support import painted
from starpoly.detection import tile_work
from starpoly.cli.main import main
from starpoly.model import StarPoly2D
from starpoly.network import quiet
from starpoly.prediction import opening
from starpoly.labels.streaming import StreamingLabels

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it, and so would this
seconds, slow, begun = float(sys.argv.pop(1)), sys.argv.pop(1), Path(sys.argv.pop(1))

def delayed(owner, name):
    call = getattr(owner, name)
    def wait(*args, **settings):
        begun.touch()
        time.sleep(seconds)
        return call(*args, **settings)
    setattr(owner, name, wait)

delayed(*{"network": (painted.Painted, "__call__"), "reading": (tile_work, "read_pixels"), "writing": (StreamingLabels, "region"),
          "geometry": (tile_work, "suppress_within")}[slow])
StarPoly2D.from_pretrained = staticmethod(lambda folder, **settings: painted.PaintedModel())
quiet.quiet_import = lambda: None  # a painted network needs no TensorFlow
opening.LARGEST_HELD = 0
sys.exit(main())
"""


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slide")
    path = folder / "slide.tif"
    image = paint(disks((90, 80), seed=4, n=20)).astype(np.float32)
    tifffile.imwrite(path, image, tile=(32, 48), planarconfig="contig", photometric="minisblack")
    (folder / "model").mkdir()
    (folder / "model" / "model.json").write_text("{}")
    return path


def words(slide: Path, out: Path) -> list[str]:
    """The command."""
    fixed = ["predict", slide, "-o", out, "--model", slide.parent / "model", "--tile-size", "24"]
    return [str(word) for word in [*fixed, "--format", "zarr,geojson"]]


def run_here(slide: Path, out: Path) -> int:
    """The command in this process, in which nothing takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StarPoly2D, "from_pretrained", staticmethod(lambda folder, **settings: PaintedModel()))
        patch.setattr(quiet, "quiet_import", lambda: None)
        patch.setattr(opening, "LARGEST_HELD", 0)
        return main(words(slide, out))


def results(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(slide) -> dict[str, bytes]:
    """Results of a run that was not stopped."""
    out = slide.parent / "whole"
    assert run_here(slide, out) == 0
    return results(out)


class Run:
    """A command in a process of its own."""

    def __init__(self, slide: Path, out: Path, slow: str, seconds: float) -> None:
        self.out, self.begun = out, out.with_suffix(".begun")
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(seconds), slow, str(self.begun), *words(slide, out)],
            env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, event: Callable[[], bool]) -> None:
        while not event():
            assert self.process.poll() is None, self.process.communicate()[1]
            time.sleep(0.01)

    def end(self) -> tuple[int, list[str]]:
        stderr = self.process.communicate(timeout=120)[1]
        return self.process.returncode, stderr.splitlines()

    @property
    def n_tiles(self) -> int:
        return len(list(beside(self.out / "slide_label.tiff", "progress").glob("tile_*")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["tiles", "writing"])
def test_stopped_run_says_how_to_go_on_and_does(slide, whole, tmp_path, number, moment):
    run = Run(slide, tmp_path / "out", *(("network", 0.05) if moment == "tiles" else ("writing", 2)))
    run.wait_for(lambda: run.n_tiles > 2 and (moment == "tiles" or run.begun.exists()))
    run.process.send_signal(number)
    status, lines = run.end()
    assert status == 128 + number
    assert [line for line in lines if "repeat the command to continue from the finished tiles" in line]
    assert lines[-1] == f"starpoly: {'interrupted' if number == signal.SIGINT else 'terminated'}"
    assert not [line for line in lines if "Traceback" in line or "Exception" in line]
    assert run.n_tiles > 2
    assert not (run.out / "slide_label.tiff").exists()
    assert run_here(slide, run.out) == 0
    assert results(run.out) == whole


@pytest.mark.parametrize("slow", ["reading", "geometry"])
def test_second_signal_ends_at_once(slide, tmp_path, slow):
    run = Run(slide, tmp_path / "out", slow, 600)
    run.wait_for(run.begun.exists)
    while run.process.poll() is None:
        run.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    status, lines = run.end()
    assert status == 130
    assert lines[-1] == "starpoly: stopped at once"
    assert not [line for line in lines if "Traceback" in line]


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), stoppable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("stop", "status"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_exit_status_of_any_command(monkeypatch, stop, status):
    def collect():
        raise stop

    monkeypatch.setattr(info, "collect", collect)
    assert main(["info"]) == status

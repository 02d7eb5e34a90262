"""The same bytes in every process: whatever its hash seed, threads, locale, time zone, umask and folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
sys.path[:0] = {paths}
from starpoly.cli.main import main
from starpoly.model import StarPoly2D
from support.painted import BrightModel
StarPoly2D.from_pretrained = classmethod(lambda cls, *_, **__: BrightModel())
from starpoly.prediction import opening
opening.LARGEST_HELD = {held}
sys.exit(main(sys.argv[1:]))
"""
PLAIN = {"PYTHONHASHSEED": "0", "NUMBA_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
OTHER = {"PYTHONHASHSEED": "4711", "NUMBA_NUM_THREADS": "2", "LC_ALL": "C", "TZ": "Asia/Kathmandu", "PYTHONUTF8": "0"}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(10, 20, (150, 170)).astype(np.uint8)
    for y, x in rng.integers(4, 140, (60, 2)):
        image[y : y + 4, x : x + 4] = rng.integers(150, 255)
    (tmp_path / "in").mkdir()
    for name in ("a", "ä"):
        Image.fromarray(image).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")
    return tmp_path


def run(folder: Path, out: str, environment: dict[str, str], *, held: bool, umask: int = 0o022) -> dict[str, bytes]:
    """All results by name, of a run in a process of its own."""
    pytest.importorskip("roifile")
    code = PROGRAM.format(paths=[str(ROOT), str(ROOT / "tests")], held="32_000_000" if held else "0")
    words = ["predict", "in", "-o", out, "--model", "model", "--scale", "1", "--tile-size", "64", "--quiet"]
    more = ["--table", "--overlay", "--format", "zarr,geojson,rois", "--expand", "2", "--table-all", f"{out}/all.csv"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words, *more],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONWARNINGS": "ignore"},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files = (path for path in (folder / out).rglob("*") if path.is_file())
    return {str(path.relative_to(folder / out)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_the_same_bytes_in_every_process(folder):
    wanted = run(folder, "one", PLAIN, held=True)
    assert len([name for name in wanted if ".ome.zarr" not in name]) == 13
    assert run(folder, "another", OTHER, held=True, umask=0o077) == wanted
    assert run(folder, "streamed", OTHER, held=False) == wanted

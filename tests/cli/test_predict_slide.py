"""``starpoly predict`` on slides: formats, regions, and a process that is killed again and again."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main
from starpoly.io.files.atomic import beside
from starpoly.model import StarPoly2D
from starpoly.prediction import opening

from support.painted import PaintedModel, disks, paint

ROOT = Path(__file__).resolve().parents[2]
SLOW = """
import sys, time
sys.path[:0] = {paths}
from support import painted
from starpoly.cli.main import main
from starpoly.model import StarPoly2D
from starpoly.network import quiet
from starpoly.prediction import opening

class Slow(painted.Painted):
    def __call__(self, batch):
        time.sleep(0.01)
        return super().__call__(batch)

def load(folder, **options):
    model = painted.PaintedModel()
    model._predictor = Slow()
    return model

StarPoly2D.from_pretrained = staticmethod(load)
quiet.quiet_import = lambda: None  # a painted network needs no TensorFlow
opening.LARGEST_HELD = 0
sys.exit(main({argv}))
"""


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch):
    """Small images are segmented as large ones are, tile by tile."""
    monkeypatch.setattr(opening, "LARGEST_HELD", 0)


@pytest.fixture(autouse=True)
def painted_model(monkeypatch, tmp_path):
    monkeypatch.setattr(StarPoly2D, "from_pretrained", staticmethod(lambda folder, **options: PaintedModel()))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")


@pytest.fixture
def slide(tmp_path):
    image = paint(disks((150, 130), seed=4, n=30)).astype(np.float32)
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, image, tile=(32, 48), planarconfig="contig", photometric="minisblack")
    return path


def arguments(slide: Path, out: Path, *more: str) -> list[str]:
    fixed = ["predict", str(slide), "-o", str(out), "--model", str(slide.parent / "model"), "--tile-size", "24"]
    return [*fixed, "--format", "geojson", *more]


def test_formats_are_written_beside_the_labels(slide, tmp_path):
    pytest.importorskip("roifile")
    assert main(arguments(slide, tmp_path / "out", "--format", "zarr,geojson,rois", "--table", "--overlay")) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "slide_label.tiff", "slide.ome.zarr", "slide.geojson", "slide_rois.zip", "slide_table.csv", "slide_overlay.png",
    }  # fmt: skip


def test_region_and_summary(slide, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(arguments(slide, out, "--roi", "20,30,120,100", "--json", str(tmp_path / "s.json"))) == 0
    assert tifffile.imread(out / "slide_label.tiff").shape == (100, 70)
    (row,) = json.loads((tmp_path / "s.json").read_text())["images"]
    assert row["status"] == "done"
    assert row["tiles"] > 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--roi", "0,0,9999,10"], "inside the image"),
        (["--level", "3"], "level"),
        (["--channels", "99"], "channels"),
    ],
)
def test_what_the_slide_does_not_have_is_said(slide, tmp_path, capsys, more, message):
    assert main(arguments(slide, tmp_path / "out", *more)) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--roi", "1,2"], ["--format", "exe"], ["--channels", "1,,2"]])
def test_wrong_flags_are_refused(slide, tmp_path, more):
    with pytest.raises(SystemExit) as stop:
        main(arguments(slide, tmp_path / "out", *more))
    assert stop.value.code == 2


def test_zarr_is_one_image(tmp_path):
    zarr = pytest.importorskip("zarr")
    image = paint(disks((60, 50), seed=1)).astype(np.float32)
    array = zarr.create_array(
        str(tmp_path / "image.zarr"), shape=image.shape, chunks=(20, 20, 9), dtype="f4", dimension_names=("y", "x", "c")
    )
    array[:] = image
    argv = arguments(tmp_path / "image.zarr", tmp_path / "out")
    assert main(argv) == 0
    expected, _ = PaintedModel().predict_instances(image)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "image_label.tiff"), expected)


@pytest.mark.slow
def test_killed_at_random_moments_ends_with_the_same_bytes(slide, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(arguments(slide, whole)) == 0
    code = SLOW.format(paths=[str(ROOT), str(ROOT / "tests")], argv=arguments(slide, parts, "--quiet"))
    env = {**os.environ, "PYTHONWARNINGS": "ignore"}
    rng, finished = random.Random(1), None
    progress = beside(parts / "slide_label.tiff", "progress")
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", code], env=env, stderr=subprocess.PIPE)
        before = len(list(progress.glob("tile_*"))) if progress.exists() else 0
        # wait for some progress, so that the loop ends; then a random moment
        wanted = before + rng.randint(15, 50)
        while process.poll() is None and (not progress.exists() or len(list(progress.glob("tile_*"))) < wanted):
            time.sleep(0.005)
        time.sleep(rng.random() * 0.02)
        process.kill()
        finished = process.wait()
        assert finished in (0, -9), process.stderr.read().decode()
        # labels come last: where they are, all is there
        if (parts / "slide_label.tiff").exists():
            break
    assert finished == 0 or main(arguments(slide, parts)) == 0
    for name in ("slide_label.tiff", "slide.geojson"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    assert not [path for path in parts.iterdir() if path.suffix == ".part" and path.stat().st_size == 0]

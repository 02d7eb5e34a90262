"""A run that was stopped is not continued with another model, input or setting; what changed is named."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.errors import StarpolyError
from starpoly.model import StarPoly2D
from starpoly.prediction import image_run, opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.slide import segment_slide
from starpoly.tiling import Box

from support.painted import PaintedModel, disks, paint

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch):
    """Small images are segmented as large ones are, tile by tile."""
    monkeypatch.setattr(opening, "LARGEST_HELD", 0)


def save(path, pixels):
    tifffile.imwrite(path, pixels, tile=(32, 48), planarconfig="contig", photometric="minisblack")


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """The folder of a run that was stopped after its last tile."""
    save(tmp_path / "slide.tif", paint(disks((60, 70), seed=4, n=8)).astype(np.float32))
    replace = os.replace

    def no_room_for_labels(source, target):
        if os.path.basename(target) == "labels.tiff":
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", no_room_for_labels)
        with pytest.raises(StarpolyError, match="cannot be written"):
            go_on(tmp_path)
    return tmp_path


def go_on(folder, image=None, model=None, **settings):
    outputs = SlideOutputs(labels=folder / "labels.tiff")
    image = folder / "slide.tif" if image is None else image
    segment_slide(model or PaintedModel(), image, outputs, **({"tile_size": 48} | settings), journal=folder / "journal")


def test_the_same_run_is_continued_without_the_network(stopped):
    model = PaintedModel()
    go_on(stopped, model=model)
    assert not model._predictor.windows
    assert sorted(path.name for path in stopped.iterdir()) == ["labels.tiff", "slide.tif"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prob_threshold": 0.5}, r"prob_threshold \(None, now 0\.5\)"),
        ({"nms_threshold": 0.5}, r"nms_threshold \(None, now 0\.5\)"),
        ({"scale": 1}, r"scale \(None, now 1.0\)"),
        ({"tile_size": 24}, r"tile_size \(48, now 24\)"),
        ({"channels": tuple(range(9))}, r"channels \(None, now \[0, 1, 2, 3, 4, 5, 6, 7, 8\]\)"),
        ({"roi": Box(0, 0, 60, 60)}, r"input shape .*, roi \(None, now \[0, 0, 60, 60\]\)"),
    ],
)
def test_another_setting(stopped, settings, said):
    with pytest.raises(StarpolyError, match=f"unfinished run of another .*{said}"):
        go_on(stopped, **settings)


def test_another_version(stopped, monkeypatch):
    monkeypatch.setattr(image_run, "__version__", "99.0")
    with pytest.raises(StarpolyError, match=r"another starpoly \(.*, now 99\.0\)"):
        go_on(stopped)


def test_another_model(stopped, monkeypatch):
    monkeypatch.setattr(PaintedModel, "fingerprint", lambda model: "repainted")
    with pytest.raises(StarpolyError, match=r"another model \(painted, now repainted\)"):
        go_on(stopped)


def test_an_input_that_was_touched(stopped):
    os.utime(stopped / "slide.tif", ns=(0, 1))
    with pytest.raises(StarpolyError, match=r"another input date \(.* UTC, now 1970-01-01 00:00:00.000000001 UTC\)"):
        go_on(stopped)


def test_an_input_that_was_replaced(stopped):
    path = stopped / "slide.tif"
    status = path.stat()
    pixels = tifffile.imread(path)
    save(path, pixels[::-1])
    assert path.stat().st_size == status.st_size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(StarpolyError, match="another input content"):
        go_on(stopped)
    with pytest.raises(
        StarpolyError,
        match=r"another input content, input date \(.*, input name \(slide.tif, now None\), input size \(",
    ):
        go_on(stopped, image=pixels)


def test_another_precision_of_the_network():
    """The fingerprint tells what the network computes in."""
    spec = ModelSpec("m", NetworkConfig(), max_distance=10.0)
    network = {"weights_digest": "same", "engine": "tensorflow"}
    single, half = (StarPoly2D(spec, SimpleNamespace(precision=kind, **network)) for kind in ("float32", "bfloat16"))
    assert single.fingerprint() != half.fingerprint()

"""One way: an image gives the same files, summary and messages, whether it is held in memory or streamed as a slide."""

from __future__ import annotations

import csv
import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from starpoly.cli.main import main
from starpoly.config import MaskGrowth, ModelSpec, NetworkConfig, SizeRange, Thresholds
from starpoly.detection.journal import is_unfinished
from starpoly.io.files.atomic import beside
from starpoly.io.readers.images import read_image
from starpoly.io.readers.labels import read_labels
from starpoly.io.writers import label_tiff
from starpoly.model import StarPoly2D
from starpoly.napari_plugin import predict as napari_predict
from starpoly.network import quiet
from starpoly.network.dense_output import DenseOutput
from starpoly.network.grid_cells import to_cells
from starpoly.network.storage.folder import FORMAT
from starpoly.prediction import opening

from support.inputs import INPUTS, SHAPE, stack
from support.painted import N_RAYS, Painted

EVERYTHING = ["--table", "--overlay", "--format", "zarr,geojson,rois", "--provenance"]
OPTIONS: dict[str, list[str]] = {
    "plain": [],
    "tolerant": ["--tolerant"],
    "mask": ["--mask", "../mask.png"],
    "tissue": ["--tissue", "auto"],
    "roi": ["--roi", "20,11,90,101"],
    "channels": ["--channels", "0"],
    "channels in another order": ["--channels", "2,0,1"],
    "no such channel": ["--channels", "7"],
    "diameter": ["--diameter", "9"],
    "diameter in micrometres": ["--diameter", "5um"],
    "diameter and pixel size": ["--diameter", "5um", "--pixel-size", "0.4"],
    "scale": ["--scale", "0.5"],
    "larger scale": ["--scale", "1.7"],
    "expand": ["--expand-into-foreground", "3"],
    "spread": ["--spread", "3"],
    "polygons": ["--expand-into-foreground", "0"],
    "confidence": ["--min-confidence", "0.5"],
    "thresholds": ["--prob-threshold", "0.7", "--nms-threshold", "0.2"],
    "augmentation": ["--tta", "flips"],
    "pixel size": ["--pixel-size", "0.25,0.5"],
    "tiles": ["--tile-size", "36"],
    "memory": ["--memory", "4G"],
    "readers": ["--readers", "2", "--tile-size", "48"],
    "measure": ["--measure", "all"],
    "report": ["--report"],
    "cells": ["--expand", "4"],
    "cells in micrometres": ["--expand", "1.5um", "--pixel-size", "0.25,0.5", "--roi", "20,11,90,101"],
    "cells of spread masks": ["--expand", "3px", "--expand-into-foreground", "3"],
}


class Cells(Painted):
    """Whatever is bright is a cell of the second class, and foreground."""

    def __init__(self) -> None:
        super().__init__(grid=(2, 2), n_classes=2, max_distance=10.0, has_foreground=True)

    def __call__(self, batch):
        bright = batch.mean(axis=-1)
        at = bright[:, ::2, ::2]
        distances = np.linspace(2.0, 4.0, self.n_rays, dtype=np.float32) * np.clip(at, 0.8, 1.2)[..., None]
        classes = np.stack([1 - at, 0.2 * at, 0.8 * at], axis=-1)
        foreground = np.stack([to_cells(image.clip(0, 1), self.grid) for image in bright])
        return DenseOutput(probability=at.clip(0, 1), distances=distances, classes=classes, foreground=foreground)


class Model(StarPoly2D):
    """A model with all that a model can have: sizes, classes, foreground that masks follow, calibration."""

    def __init__(self, n_channels: int) -> None:
        network = NetworkConfig(n_channels=n_channels, n_rays=N_RAYS, grid=(2, 2), depth=2, n_classes=2)
        spec = ModelSpec(
            "cells",
            network,
            max_distance=10.0,
            thresholds=Thresholds(0.4, 0.3),
            class_names=("round", "angular"),
            sizes=SizeRange(3.0, 6.0, 20.0),
            mask_growth=MaskGrowth(2, 0.4),
            calibration=((0.4, 0.2), (1.0, 0.9)),
        )
        super().__init__(spec, Cells())

    def fingerprint(self):
        return f"cells in {self.spec.network.n_channels} channels"


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Models and a mask in a folder of the test's own; models take as many channels as their name says."""
    monkeypatch.setattr(
        StarPoly2D, "from_pretrained", staticmethod(lambda folder, **options: Model(int(Path(folder).name)))
    )
    monkeypatch.setattr(quiet, "quiet_import", lambda: None)
    for n_channels in (1, 3):
        (tmp_path / str(n_channels)).mkdir()
        described = {"format": FORMAT, "weights_sha256": "", **Model(n_channels).spec.to_dict()}
        (tmp_path / str(n_channels) / "model.json").write_text(json.dumps(described))
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:70, 20:110] = 1
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


def hold(monkeypatch, held: bool) -> None:
    """Hold small images in memory, or stream them as large ones."""
    monkeypatch.setattr(opening, "LARGEST_HELD", 32_000_000 if held else 0)
    monkeypatch.setattr(label_tiff, "LARGEST_PLAIN", 2048 * 2048)


def predict(monkeypatch, where: Path, image: Path, model: str, options: list[str]) -> dict[str, Any]:
    """Run the command in a folder of its own; all that came of it, but for times."""
    where.mkdir()
    monkeypatch.chdir(where)
    status = main(
        ["predict", str(image), "-o", "out", "--model", str(where.parent / model), "--json", "s.json", *options]
    )
    summary = json.loads(Path("s.json").read_text()) if Path("s.json").exists() else {}
    summary.get("throughput", {}).clear()
    for row in summary.get("images", []):
        row.pop("seconds", None)
    return {"status": status, "summary": summary, "files": files(Path("out"))}


def files(folder: Path) -> dict[str, Any]:
    """Contents of all files of a folder; of a record all but how it was computed."""
    contents: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            contents[str(path.relative_to(folder))] = record(path) if path.suffix == ".json" else path.read_bytes()
    return contents


def record(path: Path) -> Any:
    content = json.loads(path.read_text())
    if path.name.endswith("_provenance.json"):
        for one in content.get("planes", [content]):
            assert set(one.pop("tiles")) == {"n", "skipped", "window", "halo"}
        assert set(content.pop("seconds")) >= {"network", "geometry"}
        assert content.pop("finished")
    return content


def check_alike(monkeypatch, folder: Path, image: Path, model: str, options: list[str]) -> dict[str, Any]:
    """Segment an image held and streamed; one of the two outcomes, which are equal."""
    hold(monkeypatch, True)
    held = predict(monkeypatch, folder / "held", image, model, options)
    hold(monkeypatch, False)
    streamed = predict(monkeypatch, folder / "streamed", image, model, options)
    for key in ("status", "summary"):
        assert held[key] == streamed[key]
    assert list(held["files"]) == list(streamed["files"])
    for name, content in held["files"].items():
        if name.endswith(".html"):
            continue  # says how long it took
        assert content == streamed["files"][name], name
    return held


def test_five_channels_give_the_same_objects_whatever_is_written(monkeypatch, folder):
    path = folder / "five.tif"
    tifffile.imwrite(path, np.tile(stack(5), (3, 3, 1))[:256, :256], photometric="minisblack", planarconfig="contig")
    outcomes = []
    for n, (held, more) in enumerate(
        [(True, []), (True, ["--format", "geojson"]), (False, []), (False, ["--format", "geojson"])]
    ):
        hold(monkeypatch, held)
        outcomes.append(predict(monkeypatch, folder / f"run{n}", path, "1", ["--tolerant", *more]))
    rows = [outcome["summary"]["images"][0] for outcome in outcomes]
    assert {row["status"] for row in rows} == {"done"}
    assert len({row["objects"] for row in rows}) == 1
    assert rows[0]["objects"] > 50
    assert len({outcome["files"]["five_label.tiff"] for outcome in outcomes}) == 1
    assert len(json.loads(outcomes[1]["files"]["five.geojson"])["features"]) == rows[0]["objects"]
    assert outcomes[1]["files"] == outcomes[3]["files"]


@pytest.mark.parametrize(("model", "flags"), [("1", []), ("1", ["--tolerant"]), ("3", ["--tolerant"])])
@pytest.mark.parametrize("kind", INPUTS)
def test_every_kind_of_image(monkeypatch, folder, kind, flags, model):
    outcome = check_alike(monkeypatch, folder, INPUTS[kind](folder), model, [*EVERYTHING, *flags])
    (row,) = outcome["summary"]["images"]
    if row["status"] == "done":
        assert row["objects"] or kind == "constant" or (kind, model) == ("rgb one channel", "3")
    else:
        assert not flags or kind == "npy five"  # a stack, for all that its shape says


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("kind", ["tiff tiles", "png rgb"])
def test_every_option(monkeypatch, folder, kind, options):
    outcome = check_alike(monkeypatch, folder, INPUTS[kind](folder), "1", [*EVERYTHING, *options])
    if outcome["status"] == 0:
        assert {f"image{ending}" for ending in ("_label.tiff", "_table.csv", ".geojson", "_rois.zip")} < set(
            outcome["files"]
        )


CHANCE = random.Random(15)
COMBINATIONS = [(CHANCE.choice([*INPUTS]), CHANCE.sample([*OPTIONS], 3), CHANCE.choice("13")) for _ in range(30)]


@pytest.mark.parametrize(("kind", "names", "model"), COMBINATIONS)
def test_options_together(monkeypatch, folder, kind, names, model):
    options = [argument for name in names for argument in OPTIONS[name]]
    with suppress(SystemExit):  # a mask and tissue, a scale and a diameter
        check_alike(monkeypatch, folder, INPUTS[kind](folder), model, [*EVERYTHING, *options])


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
@pytest.mark.parametrize("held", [True, False], ids=["held", "streamed"])
@pytest.mark.parametrize(("kind", "model"), [("tiff tiles", "1"), ("rgba", "3"), ("rgb planar", "3"), ("png la", "1")])
def test_python_and_napari_give_what_the_command_writes(monkeypatch, folder, kind, model, held):
    hold(monkeypatch, held)
    path = INPUTS[kind](folder)
    predict(monkeypatch, folder / "run", path, model, ["--table"])
    written = read_labels(folder / "run" / "out" / "image_label.tiff")
    pixels = read_image(path)
    labels, details = StarPoly2D.from_pretrained(model).predict_instances(pixels)
    np.testing.assert_array_equal(labels, written)
    monkeypatch.setattr(napari_predict, "_load", lambda folder: Model(int(model)))
    shown, features = napari_predict.find_objects(pixels, folder / model, rgb=pixels.ndim == 3)
    np.testing.assert_array_equal(shown, written)
    with open(folder / "run" / "out" / "image_table.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["area"]) for row in table] == features["area"].tolist()
    np.testing.assert_allclose([float(row["confidence"]) for row in table], details["confidence"], atol=1e-4)


@pytest.mark.parametrize("held", [True, False], ids=["held", "streamed"])
def test_what_exists_is_skipped(monkeypatch, folder, held):
    hold(monkeypatch, held)
    path = INPUTS["tiff"](folder)
    done = predict(monkeypatch, folder / "run", path, "1", EVERYTHING)
    assert (
        main(["predict", str(path), "-o", "out", "--model", "../1", "--json", "s.json", "--skip-existing", *EVERYTHING])
        == 0
    )
    (row,) = json.loads(Path("s.json").read_text())["images"]
    assert row["status"] == "exists"
    assert files(Path("out")) == done["files"]


def test_an_image_begun_as_a_slide_may_be_finished_in_memory(monkeypatch, folder):
    path = INPUTS["tiff tiles"](folder)
    hold(monkeypatch, False)
    call = Cells.__call__
    monkeypatch.setattr(Cells, "__call__", lambda self, batch: 1 / 0)
    stopped = predict(monkeypatch, folder / "run", path, "1", [])
    assert stopped["status"] == 1
    assert is_unfinished(beside(Path("out/image_label.tiff"), "progress"))
    monkeypatch.setattr(Cells, "__call__", call)
    hold(monkeypatch, True)
    again = ["predict", str(path), "-o", "out", "--model", "../1", "--json", "s.json", "--skip-existing"]
    for status in ("done", "exists"):
        assert main(again) == 0
        (row,) = json.loads(Path("s.json").read_text())["images"]
        assert row["status"] == status
    assert [path.name for path in Path("out").iterdir()] == ["image_label.tiff"]

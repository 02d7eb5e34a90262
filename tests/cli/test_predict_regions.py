"""``starpoly predict`` with masks, tissue, sizes of pixels and provenance."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from starpoly.cli.main import main
from starpoly.io.readers.images import read_pixel_size
from starpoly.model import StarPoly2D

from support.painted import BrightModel, disks

SHAPE = (150, 130)


@pytest.fixture(autouse=True)
def bright_model(monkeypatch, tmp_path):
    monkeypatch.setattr(StarPoly2D, "from_pretrained", staticmethod(lambda folder, **options: BrightModel()))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")


def grey(seed: int) -> np.ndarray:
    return np.where(disks(SHAPE, seed=seed) > 0, 200, 10).astype(np.uint8)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for seed, name in enumerate(("a", "b")):
        tifffile.imwrite(
            folder / f"{name}.ome.tif",
            grey(seed),
            tile=(64, 64),
            metadata={"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25},
        )
    return folder


def save_mask(path, left: int) -> None:
    mask = np.zeros((15, 13), np.uint8)
    mask[:, :left] = 255
    Image.fromarray(mask).save(path)


def predict(tmp_path, *arguments) -> int:
    return main(["predict", *map(str, arguments), "-o", str(tmp_path / "out"), "--model", str(tmp_path / "model")])


def centres(tmp_path, name: str) -> np.ndarray:
    with open(tmp_path / "out" / f"{name}_table.csv", newline="") as file:
        return np.array([(float(row["y"]), float(row["x"])) for row in csv.DictReader(file)]).reshape(-1, 2)


def test_a_mask_for_one_image(images, tmp_path, capsys):
    save_mask(tmp_path / "m.png", 5)
    assert (
        predict(tmp_path, images / "a.ome.tif", "--mask", tmp_path / "m.png", "--table", "--json", tmp_path / "s.json")
        == 0
    )
    assert "mask: 38.5 % of the image is segmented" in capsys.readouterr().err
    assert len(centres(tmp_path, "a"))
    assert centres(tmp_path, "a")[:, 1].max() < 50 + 3
    (row,) = json.loads((tmp_path / "s.json").read_text())["images"]
    assert row["fraction"] == pytest.approx(5 / 13, abs=1e-4)
    assert row["skipped"] == 0


def test_several_images_have_masks_of_their_own(images, tmp_path, capsys):
    masks = tmp_path / "masks"
    masks.mkdir()
    save_mask(masks / "a_mask.png", 4)
    save_mask(masks / "b.png", 9)
    assert predict(tmp_path, images, "--mask", masks, "--table") == 0
    assert centres(tmp_path, "a")[:, 1].max() < 40 + 3
    assert 40 < centres(tmp_path, "b")[:, 1].max() < 90 + 3


def test_an_image_without_its_mask_fails_alone(images, tmp_path, capsys):
    masks = tmp_path / "masks"
    masks.mkdir()
    save_mask(masks / "b.png", 9)
    assert predict(tmp_path, images, "--mask", masks) == 1
    assert "expected one mask called a or a_mask, got 0" in capsys.readouterr().err
    assert (tmp_path / "out" / "b_label.tiff").exists()


def test_one_mask_for_several_images_is_refused(images, tmp_path, capsys):
    save_mask(tmp_path / "m.png", 5)
    assert predict(tmp_path, images, "--mask", tmp_path / "m.png") == 2
    assert "expected a folder of masks for 2 images" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_empty_glass_is_left_out(tmp_path, capsys):
    image = np.random.default_rng(0).normal(20, 2, (700, 900)).astype(np.uint8)
    image[50:200, 60:190] = grey(1)
    tifffile.imwrite(tmp_path / "slide.tif", image, tile=(64, 64))
    whole = [tmp_path / "slide.tif", "--tile-size", 64, "--format", "geojson"]
    assert predict(tmp_path, *whole) == 0
    expected = tifffile.imread(tmp_path / "out" / "slide_label.tiff")
    capsys.readouterr()
    assert predict(tmp_path, *whole, "--tissue", "auto") == 0
    said = capsys.readouterr().err
    assert "% of the image is segmented" in said
    assert "tiles are skipped, there is nothing to look at" in said
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "slide_label.tiff"), expected)


@pytest.mark.parametrize("route", [[], ["--format", "geojson"]])
@pytest.mark.parametrize(
    ("more", "size"), [([], (0.25, 0.5)), (["--pixel-size", "2"], (2, 2)), (["--pixel-size", "2,3"], (2, 3))]
)
def test_micrometres_in_labels_and_tables(images, tmp_path, route, more, size):
    assert predict(tmp_path, images / "a.ome.tif", "--table", *more, *route) == 0
    assert read_pixel_size(tmp_path / "out" / "a_label.tiff") == pytest.approx(size)
    with open(tmp_path / "out" / "a_table.csv", newline="") as file:
        for row in csv.DictReader(file):
            assert float(row["area_um2"]) == pytest.approx(float(row["area"]) * size[0] * size[1], abs=1e-3)


def test_without_a_size_there_are_no_micrometres(tmp_path):
    Image.fromarray(grey(0)).save(tmp_path / "a.png")
    assert predict(tmp_path, tmp_path / "a.png", "--table") == 0
    assert read_pixel_size(tmp_path / "out" / "a_label.tiff") is None
    assert "_um" not in (tmp_path / "out" / "a_table.csv").read_text().splitlines()[0]


def test_provenance_is_the_same_by_both_ways(images, tmp_path):
    records = []
    for route in ([], ["--format", "geojson"]):
        assert predict(tmp_path, images / "a.ome.tif", "--provenance", "--scale", 2, "--pixel-size", 0.5, *route) == 0
        records.append(json.loads((tmp_path / "out" / "a_provenance.json").read_text()))
    whole, slide = records
    assert whole["input"]["file"] == str((images / "a.ome.tif").resolve())
    assert whole["input"].items() >= {"pixel_size": [0.5, 0.5], "shape": [150, 130, 1], "dtype": "uint8"}.items()
    assert whole["input"].items() <= slide["input"].items()
    for name in ("starpoly", "model", "settings", "normalizer", "tiles", "candidates", "objects", "libraries"):
        assert whole[name] == slide[name]
    assert whole["settings"]["scale"] == 2
    assert whole["objects"] > 0


@pytest.mark.parametrize(
    "more", [["--pixel-size", "0"], ["--pixel-size", "1,2,3"], ["--tissue", "x"], ["--mask", "m", "--tissue", "auto"]]
)
def test_wrong_flags_are_refused(images, tmp_path, more):
    with pytest.raises(SystemExit) as stop:
        predict(tmp_path, images, *more)
    assert stop.value.code == 2

"""Results of a region or level lie where the objects lie in the whole slide, held and streamed."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict

import numpy as np
import pytest
import tifffile
import zarr

from starpoly.io.frame import Frame
from starpoly.io.readers.images import open_source
from starpoly.prediction import opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.slide import segment_slide
from starpoly.tiling import Box

from support.painted import PaintedModel, disks, paint

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")

ROI = Box(31, 22, 120, 101)


@pytest.fixture(params=[True, False], ids=["held", "streamed"])
def held(request, monkeypatch):
    monkeypatch.setattr(opening, "LARGEST_HELD", 10**6 if request.param else 0)


def run(folder, image, **part):
    names = {"labels": "_label.tiff", "geojson": ".geojson", "rois": ".zip", "table": ".csv", "zarr": ".ome.zarr"}
    folder.mkdir()
    outputs = SlideOutputs(
        **{name: folder / f"a{ending}" for name, ending in names.items()}, provenance=folder / "p.json"
    )
    segment_slide(PaintedModel(), image, outputs, scale=1, **part)
    features = json.loads((folder / "a.geojson").read_text())["features"]
    with open(folder / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return tifffile.imread(folder / "a_label.tiff"), features, rows


def middle(feature):
    return np.mean(feature["geometry"]["coordinates"][0][:-1], axis=0)


def test_objects_of_a_region_lie_where_they_lie_in_the_image(tmp_path, held):
    image = paint(disks((150, 130), seed=4, n=30)).astype(np.float32)
    _, whole, rows_of_whole = run(tmp_path / "whole", image, pixel_size=(0.5, 0.25))
    assert "y_level0" not in rows_of_whole[0]
    labels, features, rows = run(tmp_path / "roi", image, roi=ROI, pixel_size=(0.5, 0.25))
    assert labels.shape == ROI.shape
    known = {tuple(np.round(middle(feature), 3)) for feature in whole}
    inside = [feature for feature in features if tuple(np.round(middle(feature), 3)) in known]
    assert len(inside) > 5  # others are cut by the region's border
    for row in rows:
        assert float(row["y_level0"]) - float(row["y"]) == pytest.approx(ROI.y0, abs=1e-3)
        assert float(row["x_level0"]) - float(row["x"]) == pytest.approx(ROI.x0, abs=1e-3)
        y, x = round(float(row["y"])), round(float(row["x"]))
        assert labels[y, x] == int(row["label"])
    assert not {"y_level0", "x_level0"} & set(features[0]["properties"]["measurements"])
    multiscale = zarr.open_group(tmp_path / "roi" / "a.ome.zarr", mode="r").attrs["ome"]["multiscales"][0]
    moves = multiscale["datasets"][0]["coordinateTransformations"]
    assert moves == [
        {"type": "scale", "scale": [0.5, 0.25]},
        {"type": "translation", "translation": [ROI.y0 * 0.5, ROI.x0 * 0.25]},
    ]
    record = json.loads((tmp_path / "roi" / "p.json").read_text())["input"]["frame"]
    assert record == {"step": [1, 1], "offset": [31, 22], "bounds": [0, 0], "position": None, "single_axes": []}


def test_objects_of_a_level_lie_at_the_full_resolution(tmp_path, held):
    path = tmp_path / "a.ome.tif"
    image = np.moveaxis(paint(disks((75, 65), seed=4, n=12)).astype(np.float32), -1, 0)
    with tifffile.TiffWriter(path, ome=True) as file:
        options = {"photometric": "minisblack", "tile": (32, 32), "planarconfig": "separate"}
        file.write(image.repeat(2, 1).repeat(2, 2), subifds=1, metadata={"axes": "CYX"}, **options)
        file.write(image, subfiletype=1, **options)
    labels, features, rows = run(tmp_path / "level", path, level=1)
    assert labels.shape == (75, 65)
    with open_source(path, level=1) as source:
        assert Frame.of(source) == Frame((2, 2))
    assert asdict(Frame())["step"] == (1, 1)
    assert len(features) == len(rows) > 3
    for feature, row in zip(features, rows, strict=True):
        ring = np.array(feature["geometry"]["coordinates"][0])
        assert (ring.min() >= 0) & (ring <= (130, 150)).all()
        assert float(row["y_level0"]) == pytest.approx(2 * float(row["y"]) + 0.5, abs=1e-3)
    largest = max(features, key=lambda feature: feature["properties"]["measurements"]["area"])
    x, y = np.array(largest["geometry"]["coordinates"][0]).T
    area = (np.sum(x * np.roll(y, -1)) - np.sum(y * np.roll(x, -1))) / 2
    assert area == pytest.approx(4 * largest["properties"]["measurements"]["area"], rel=0.2)

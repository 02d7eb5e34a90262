"""Cells from nuclei in all results: the same bytes whatever the tiles, held and streamed."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import shapely
import tifffile
import zarr
from ome_zarr_models.v05 import Image as OmeImage
from scipy import ndimage
from skimage.measure import regionprops

from starpoly.cli.main import main
from starpoly.errors import ConfigError
from starpoly.io.writers import label_tiff, ome_zarr
from starpoly.labels import cell_areas, expand_labels
from starpoly.labels import expansion as expansion_module
from starpoly.labels.streaming import StreamingLabels
from starpoly.prediction import opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.slide import segment_slide

from support.painted import PaintedModel, disks, paint

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")

IMAGE = paint(disks((150, 130), seed=4, n=30)).astype(np.float32)
ENDINGS = {
    "labels": "_label.tiff",
    "cells": "_label_cells.tiff",
    "geojson": ".geojson",
    "table": "_table.csv",
    "zarr": ".ome.zarr",
}


def outputs(folder):
    folder.mkdir(exist_ok=True)
    return SlideOutputs(**{name: folder / f"a{ending}" for name, ending in ENDINGS.items()})


def largest_piece(mask):
    pieces, _ = ndimage.label(mask)
    return int(np.bincount(pieces.ravel())[1:].max())


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def segment(folder, monkeypatch, *, held=False, expand: object = 5, **settings):
    monkeypatch.setattr(opening, "LARGEST_HELD", 10**6 if held else 0)
    segment_slide(PaintedModel(), IMAGE, outputs(folder), expand=expand, **settings)
    return contents(folder)


def test_the_same_bytes_whatever_tiles_blocks_and_memory(tmp_path, monkeypatch):
    for module in (label_tiff, ome_zarr):  # pyramids
        monkeypatch.setattr(
            module, "LARGEST_PLAIN" if module is label_tiff else "CHUNK", 0 if module is label_tiff else 32
        )
    monkeypatch.setattr(label_tiff, "_SMALLEST_LEVEL", 40)
    first = segment(tmp_path / "held", monkeypatch, held=True)
    assert len(first) > 20
    for tile_size in (24, 64, 4096):
        assert segment(tmp_path / f"t{tile_size}", monkeypatch, tile_size=tile_size) == first
    monkeypatch.setattr(expansion_module, "_BLOCK", 17)
    monkeypatch.setattr(cell_areas, "_BLOCK", 23)
    assert segment(tmp_path / "blocks", monkeypatch, journal=tmp_path / "journal") == first


@pytest.mark.parametrize("held", [True, False], ids=["held", "streamed"])
@pytest.mark.parametrize(("expand", "size"), [(5, None), ("2.5um", (0.5, 0.25))])
def test_results_tell_of_nuclei_and_cells(tmp_path, monkeypatch, held, expand, size):
    segment(tmp_path, monkeypatch, held=held, expand=expand, pixel_size=size)
    nuclei, cells = (tifffile.imread(tmp_path / f"a{ENDINGS[name]}") for name in ("labels", "cells"))
    np.testing.assert_array_equal(cells, expand_labels(nuclei, expand, size))
    assert cells.dtype == nuclei.dtype
    np.testing.assert_array_equal(cells[nuclei > 0], nuclei[nuclei > 0])
    with open(tmp_path / "a_table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert len(rows) == len(features) == nuclei.max() > 10
    y, x = np.mgrid[: cells.shape[0], : cells.shape[1]]
    for row, feature in zip(rows, features, strict=True):
        label = int(row["label"])
        n_nucleus, n_cell = int((nuclei == label).sum()), int((cells == label).sum())
        assert (int(row["area"]), int(row["cell_area"]), int(row["ring_area"])) == (
            n_nucleus,
            n_cell,
            n_cell - n_nucleus,
        )
        if size is not None:
            assert float(row["cell_area_um2"]) == pytest.approx(n_cell * 0.125)
        assert feature["properties"]["objectType"] == "cell"
        assert feature["properties"]["measurements"]["cell_area"] == n_cell
        cell, nucleus = (shapely.from_geojson(json.dumps(feature[name])) for name in ("geometry", "nucleusGeometry"))
        assert cell.is_valid
        assert nucleus.is_valid
        inside = shapely.contains_xy(cell, x + 0.5, y + 0.5)
        assert np.mean((cells == label)[inside]) > 0.9
        assert cell.area == pytest.approx(largest_piece(cells == label), rel=0.1, abs=2)
        assert cell.buffer(1).contains(nucleus)
        assert nucleus.area == pytest.approx(largest_piece(nuclei == label), rel=0.1, abs=2)
    image = OmeImage.from_zarr(zarr.open_group(tmp_path / "a.ome.zarr", mode="r"))
    assert image.ome_attributes.multiscales[0].name == "a.ome.zarr"
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    assert group["labels"].attrs["ome"]["labels"] == ["cells"]
    assert group["labels/cells"].attrs["ome"]["image-label"] == {"source": {"image": "../../"}}
    OmeImage.from_zarr(group["labels/cells"])
    np.testing.assert_array_equal(group["labels/cells/0"][:], cells)
    np.testing.assert_array_equal(group["0"][:], nuclei)


def test_micrometres_without_a_pixel_size_fail_before_anything_is_segmented(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="expected an image with a pixel size, to convert 5 um"):
        segment(tmp_path, monkeypatch, expand="5um")
    assert not contents(tmp_path)


def test_a_file_of_cells_wants_a_distance(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="expected a distance to expand nuclei by, got none"):
        segment(tmp_path, monkeypatch, expand=None)


def test_without_a_distance_nothing_tells_of_cells(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "LARGEST_HELD", 0)
    segment_slide(PaintedModel(), IMAGE, SlideOutputs(labels=tmp_path / "a.tiff", geojson=tmp_path / "a.geojson"))
    (feature, *_) = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert feature["properties"]["objectType"] == "detection"
    assert "nucleusGeometry" not in feature


def test_more_than_65535_ids_amid_the_file(tmp_path, monkeypatch):
    """A file of cells begun with 16 bits is begun again with 32."""
    monkeypatch.setattr(StreamingLabels, "n_ids", property(lambda self: self._n_ids), raising=False)
    full = np.iinfo(np.uint16).max
    info = np.iinfo
    small = type("Info", (), {"max": 7})
    monkeypatch.setattr(np, "iinfo", lambda dtype: small if np.dtype(dtype) == np.uint16 else info(dtype))
    segment(tmp_path, monkeypatch)
    cells = tifffile.imread(tmp_path / "a_label_cells.tiff")
    assert cells.dtype == np.uint32
    assert full == 65_535
    np.testing.assert_array_equal(cells, expand_labels(tifffile.imread(tmp_path / "a_label.tiff"), 5))


@pytest.mark.parametrize("held", [True, False], ids=["held", "streamed"])
def test_nuclei_cells_and_rings_are_measured_in_every_channel(tmp_path, monkeypatch, held):
    segment(tmp_path, monkeypatch, held=held, measure="all")
    nuclei, cells = (tifffile.imread(tmp_path / f"a{ENDINGS[name]}").astype(int) for name in ("labels", "cells"))
    with open(tmp_path / "a_table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    images = {"": nuclei, "cell_": cells, "ring_": np.where(nuclei > 0, 0, cells)}
    for row in rows:
        for prefix, labels in images.items():
            inside = labels == int(row["label"])
            for channel in (0, 3):
                found, pixels = row[f"{prefix}mean_{channel}"], IMAGE[..., channel][inside]
                assert (found == "") is (pixels.size == 0)
                assert not pixels.size or float(found) == pytest.approx(pixels.mean(), abs=1e-3)
    for label, row in zip(regionprops(cells), rows, strict=True):
        assert float(row["cell_eccentricity"]) == pytest.approx(label.eccentricity, abs=1e-3)
    assert "ring_eccentricity" not in rows[0]


@pytest.mark.parametrize("wrong", ["0", "5nm", "five"])
def test_the_command_refuses_other_distances(tmp_path, capsys, wrong):
    with pytest.raises(SystemExit):
        main(["predict", "a.tif", "-o", str(tmp_path), "--expand", wrong])
    assert "expected a distance above 0 in pixels or micrometres" in capsys.readouterr().err

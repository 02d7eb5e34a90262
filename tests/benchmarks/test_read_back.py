"""benchmarks/read_back.py sees what is wrong with results."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.slide import segment_slide

from support.painted import PaintedModel, disks, paint

# the scripts import one another by plain names, as they do when they are run
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import read_back


@pytest.fixture
def results(tmp_path):
    """The four files of a result, by name."""
    pytest.importorskip("ome_zarr_models")
    pytest.importorskip("tifffile", minversion="2025.5.21", reason="older ones read pyramids by zarr 2 alone")
    names = {"labels": "a_label.tiff", "zarr": "a.ome.zarr", "geojson": "a.geojson", "table": "a_table.csv"}
    files = {kind: tmp_path / name for kind, name in names.items()}
    image = paint(disks((1500, 1300), seed=2, n=60)).astype(np.float32)
    segment_slide(PaintedModel(), image, SlideOutputs(**files))
    return files


def failed(files) -> list[str]:
    return [row.check for row in read_back.check(*files.values()) if not row.passed]


def test_results_agree(results):
    assert failed(results) == []


def test_a_feature_that_is_missing_is_seen(results):
    collection = json.loads(results["geojson"].read_text())
    del collection["features"][0]
    results["geojson"].write_text(json.dumps(collection))
    assert failed(results) == ["GeoJSON: a Feature for each label", "GeoJSON: pixels of a label lie in its ring"]


def test_rings_elsewhere_are_seen(results):
    collection = json.loads(results["geojson"].read_text())
    for feature in collection["features"]:
        (ring,) = feature["geometry"]["coordinates"]
        feature["geometry"]["coordinates"] = [[[x + 2, y] for x, y in ring]]
    results["geojson"].write_text(json.dumps(collection))
    assert "GeoJSON: pixels of a label lie in its ring" in failed(results)


def test_pixels_that_differ_are_seen(results):
    labels = tifffile.imread(results["labels"])
    labels[labels == 1] = 0
    tifffile.imwrite(results["labels"], labels, tile=(512, 512))
    assert {"label TIFF: ids 1..n without gaps", "OME-Zarr: the TIFF's pixels"} <= set(failed(results))


def test_metadata_that_are_not_ome_are_seen(results):
    path = results["zarr"] / "zarr.json"
    path.write_text(path.read_text().replace('"space"', '"place"'))
    assert failed(results) == ["OME-Zarr: valid labels"]

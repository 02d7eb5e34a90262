from __future__ import annotations

import errno
import json
import math
import uuid

import numpy as np
import pytest

from starpoly.errors import ImageError, StarpolyWarning
from starpoly.io.writers import geojson as module
from starpoly.io.writers.geojson import write_geojson
from starpoly.labels.streaming import StreamingLabels
from starpoly.polygons import StarPolygons

from support.examples import stars
from support.sinks import SHAPE, cells, file_size_limit


def features(path) -> list[dict]:
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    collection = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert collection["type"] == "FeatureCollection"
    return collection["features"]


def test_features_are_closed_rings_in_the_image_with_identifiers(tmp_path):
    shapely = pytest.importorskip("shapely")
    write_geojson(tmp_path / "a.geojson", cells(), SHAPE)
    found = features(tmp_path / "a.geojson")
    assert len(found) == 40
    assert len({uuid.UUID(feature["id"]) for feature in found}) == 40
    for label, feature in enumerate(found, start=1):
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        assert np.min(ring) >= 0
        assert (np.max(ring, axis=0) <= SHAPE[::-1]).all()
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert shape.is_valid
        assert shape.area > 0
        assert feature["type"] == "Feature"
        assert feature["properties"]["objectType"] == "detection"
        assert feature["properties"]["name"] == str(label)
        assert "classification" not in feature["properties"]
        assert feature["properties"]["measurements"]["area"] == pytest.approx(shape.area, abs=1e-3)


def test_measurements_are_those_of_the_table(tmp_path):
    streaming = StreamingLabels(SHAPE)
    streaming.add(cells(), math.inf, math.inf)
    streaming.measure()
    ((polygons, columns),) = streaming.objects()
    columns["contrast"] = np.where(columns["label"] == 2, np.nan, 1.5)
    write_geojson(tmp_path / "a.geojson", polygons, SHAPE, columns=columns)
    found = [feature["properties"] for feature in features(tmp_path / "a.geojson")]
    assert [int(properties["name"]) for properties in found] == columns["label"].tolist()
    assert [properties["measurements"]["area"] for properties in found] == columns["area"].tolist()
    assert set(found[0]["measurements"]) == {"area", "diameter", "score", "contrast"}
    assert set(found[1]["measurements"]) == {"area", "diameter", "score"}


def test_classes_have_a_name_and_a_color(tmp_path):
    polygons = cells(with_classes=True)
    write_geojson(tmp_path / "a.geojson", polygons, SHAPE, class_names=["round", 'od"d\n'], object_type="cell")
    found = [feature["properties"] for feature in features(tmp_path / "a.geojson")]
    names = {1: "round", 2: 'od"d\n', 3: "3"}
    assert [properties["classification"]["name"] for properties in found] == [
        names[index] for index in polygons.classes
    ]
    assert all(len(properties["classification"]["color"]) == 3 for properties in found)
    assert {properties["objectType"] for properties in found} == {"cell"}


def test_no_polygons_are_an_empty_collection(tmp_path):
    write_geojson(tmp_path / "a.geojson", StarPolygons.empty(8), SHAPE)
    assert features(tmp_path / "a.geojson") == []


def test_equal_polygons_give_equal_bytes_and_another_name_other_identifiers(tmp_path):
    for name, source in (("a", "x"), ("b", "x"), ("c", "y")):
        write_geojson(tmp_path / name, cells(), SHAPE, name=source)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    ids = [{feature["id"] for feature in features(tmp_path / name)} for name in ("a", "c")]
    assert not ids[0] & ids[1]


def test_polygons_outside_are_left_out_with_a_word(tmp_path):
    with pytest.warns(StarpolyWarning, match="1 polygons outside the image are left out"):
        write_geojson(tmp_path / "a", stars((3, 3, 2), (500, 3, 2)), SHAPE)
    assert len(features(tmp_path / "a")) == 1


@pytest.mark.parametrize(
    ("polygons", "options"),
    [
        (stars((3, np.nan, 2)), {}),
        (stars((3, 3, 2)), {"object_type": "blob"}),
        (stars((3, 3, 2)), {"columns": {"area": [3]}}),
        (stars((3, 3, 2)), {"columns": {"label": [1], "area": [3, 4]}}),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, polygons, options):
    with pytest.raises(ImageError, match="expected"):
        write_geojson(tmp_path / "a", polygons, SHAPE, **options)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.geojson"
    path.write_text("old")
    with file_size_limit(8192), pytest.raises(ImageError, match=r"a\.geojson: cannot be written"):
        write_geojson(path, cells(), SHAPE)

    def full_disk(*args):
        yield from list(module_outlines(*args))[:3]
        raise OSError(errno.ENOSPC, "No space left on device")

    module_outlines = module.outlines
    monkeypatch.setattr(module, "outlines", full_disk)
    with pytest.raises(ImageError, match=r"a\.geojson: cannot be written \(No space left on device\); free space"):
        write_geojson(path, cells(), SHAPE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.geojson"]
    assert path.read_text() == "old"

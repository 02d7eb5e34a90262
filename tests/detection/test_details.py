"""What a prediction takes from Python, and the details that it gives."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
import tifffile
from PIL import Image

from starpoly.errors import ConfigError, ImageError, ImageTypeError
from starpoly.io.readers import array_like

from support.painted import BrightModel

IMAGE = np.full((60, 70), 20, np.uint16)
for _y, _x in ((5, 10), (30, 50), (44, 12)):
    IMAGE[_y : _y + 8, _x : _x + 8] = 900
IMAGE[3, 3] = 21  # contrast


@pytest.fixture(scope="module")
def expected():
    return BrightModel().predict_instances(IMAGE)


def test_paths_are_read(tmp_path, expected):
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        labels, _ = BrightModel().predict_instances(path)
        np.testing.assert_array_equal(labels, expected[0])
        np.testing.assert_array_equal(BrightModel().predict(path)[0], BrightModel().predict(IMAGE)[0])


def test_pixel_sizes_of_files_count(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", IMAGE, metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5})
    _, details = BrightModel().predict_instances(tmp_path / "a.ome.tif")
    table = details.table()
    np.testing.assert_allclose(table["area_um2"], table["area"] / 4)
    assert "area_um2" in BrightModel().predict_instances(IMAGE)[1].table(tmp_path / "a.ome.tif")


def test_the_table_measures_every_channel_of_the_image():
    image = np.stack([IMAGE, 2 * IMAGE], axis=-1)
    _, details = BrightModel().predict_instances(IMAGE)
    table = details.table(image)
    np.testing.assert_array_equal(table["mean_1"], 2 * table["mean_0"])
    assert table["mean_0"].max() == 900
    np.testing.assert_array_equal(details.table(np.moveaxis(image, 2, 0), axes="CYX")["mean_1"], table["mean_1"])
    assert "mean_0" not in details.table(image, measure="shape")
    with pytest.raises(ImageError, match="one height and width"):
        details.table(image[:50])


@pytest.mark.parametrize("module", ["dask.array", "jax.numpy"])
@pytest.mark.parametrize("largest", [0, 1 << 30], ids=["lazy", "held"])
def test_array_likes_have_the_labels_of_the_array(monkeypatch, module, largest, expected):
    monkeypatch.setattr(array_like, "LARGEST_HELD", largest)
    array = pytest.importorskip(module).asarray(IMAGE)
    for given in (array, array[None], array[..., None]):
        np.testing.assert_array_equal(BrightModel().predict_instances(given)[0], expected[0])
    np.testing.assert_array_equal(BrightModel().predict_instances(np.asarray(array)[None], axes="ZYX")[0], expected[0])


def test_nothing_is_found_where_values_are_masked(expected):
    masked = np.ma.masked_array(IMAGE, np.zeros(IMAGE.shape, bool))
    masked[:20] = np.ma.masked
    with pytest.warns(UserWarning, match="NaN"):
        labels, _ = BrightModel().predict_instances(masked)
    assert not labels[:20].any()
    np.testing.assert_array_equal(labels[20:] > 0, expected[0][20:] > 0)


@pytest.mark.parametrize("method", ["predict_instances", "detect", "predict", "find_candidates"])
@pytest.mark.parametrize("given", [IMAGE.tolist(), [[1, 2], [3]], (IMAGE, {"coord": IMAGE}), None, b"bytes"])
def test_every_door_has_the_gate(method, given):
    with pytest.raises(ImageTypeError, match="expected an array"):
        getattr(BrightModel(), method)(given)


@pytest.mark.parametrize("given", [[[1, 2], [3]], (IMAGE, {"coord": IMAGE}), 3])
def test_axes_do_not_open_the_gate(given):
    with pytest.raises(ImageTypeError, match="expected an array"):
        BrightModel().predict_instances(given, axes="ZYX")


def test_details_show_themselves_in_a_line(expected):
    text = repr(expected[1])
    assert text.startswith(f"Details({expected[0].max()} objects: coord, points, prob")
    assert len(text) < 150
    assert isinstance(expected[1], dict)


def test_details_are_copied_and_pickled(expected):
    for other in (copy.copy(expected[1]), copy.deepcopy(expected[1]), pickle.loads(pickle.dumps(expected[1]))):
        assert other.keys() == expected[1].keys()
        np.testing.assert_array_equal(other.table()["area"], expected[1].table()["area"])


def test_the_table_has_a_row_per_label(expected):
    labels, details = expected
    table = details.table()
    assert table["label"].tolist() == list(range(1, labels.max() + 1))
    assert table["area"].tolist() == np.bincount(labels.ravel())[1:].tolist()
    np.testing.assert_array_equal(table["score"], details["prob"])


def test_geojson_is_that_of_the_file(tmp_path, expected):
    collection = expected[1].to_geojson(tmp_path / "a.geojson")
    assert collection == json.loads((tmp_path / "a.geojson").read_text())
    assert len(collection["features"]) == expected[0].max()
    again = expected[1].to_geojson()
    for one, other in zip(collection["features"], again["features"], strict=True):
        assert one["geometry"] == other["geometry"]
        assert one["properties"] == other["properties"]


def test_shapely_polygons_cover_the_labels(expected):
    shapely = pytest.importorskip("shapely")
    labels, details = expected
    polygons = details.to_shapely()
    assert len(polygons) == labels.max()
    for label, polygon in enumerate(polygons, start=1):
        y, x = np.nonzero(labels == label)
        assert polygon.is_valid
        assert shapely.contains_xy(polygon.buffer(0.75), x + 0.5, y + 0.5).all()


def test_without_shapely_the_remedy_is_said(monkeypatch, expected):
    monkeypatch.setitem(__import__("sys").modules, "shapely.geometry", None)
    with pytest.raises(ConfigError, match="pip install shapely"):
        expected[1].to_shapely()

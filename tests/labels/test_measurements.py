from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import starpoly.labels.measurements as module
from starpoly.errors import ImageError
from starpoly.labels.measurements import in_micrometres, keep_visible, measure
from starpoly.polygons import StarPolygons


def _polygons(n, n_classes=0):
    classes = np.eye(n_classes + 1)[np.arange(n) % (n_classes + 1)] if n_classes else None
    points = np.arange(2 * n).reshape(n, 2)
    return StarPolygons(points, np.ones((n, 8)), np.linspace(0.9, 0.5, n), classes)


@given(
    labels=hnp.arrays(
        st.sampled_from([np.uint16, np.int32, np.uint64]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.integers(0, 5),
    )
)
@settings(max_examples=60, deadline=None)
def test_areas_and_centres_are_those_of_the_pixels(labels):
    columns = measure(labels)
    assert len(columns["label"]) == labels.max()
    for index, label in enumerate(columns["label"]):
        pixels = np.argwhere(labels == label)
        assert columns["area"][index] == len(pixels)
        if len(pixels):
            np.testing.assert_allclose((columns["y"][index], columns["x"][index]), pixels.mean(axis=0))


def test_blocks_do_not_matter(monkeypatch):
    labels = np.random.default_rng(0).integers(0, 9, (30, 20))
    whole = measure(labels)
    monkeypatch.setattr(module, "_BLOCK_PIXELS", 40)
    for name, column in measure(labels).items():
        np.testing.assert_array_equal(column, whole[name])


def test_a_disc_has_its_diameter():
    y, x = np.mgrid[:61, :61]
    columns = measure(((y - 30) ** 2 + (x - 25) ** 2 <= 20**2).astype(np.uint8))
    assert (columns["y"][0], columns["x"][0]) == (30, 25)
    assert columns["diameter"][0] == pytest.approx(40, rel=0.01)


def test_scores_and_classes_come_from_the_polygons():
    labels = np.array([[1, 2], [3, 0]])
    columns = measure(labels, _polygons(3, n_classes=2), ["small", "=large"])
    np.testing.assert_allclose(columns["score"], [0.9, 0.7, 0.5])
    assert columns["class"] == ["small", "small", "=large"]
    np.testing.assert_array_equal(measure(labels, _polygons(3, n_classes=2))["class"], [1, 1, 2])
    assert "class" not in measure(labels, _polygons(3))


def test_an_object_without_a_pixel_is_where_its_polygon_is():
    columns = measure(np.array([[1, 3]]), _polygons(3))
    assert columns["area"].tolist() == [1, 0, 1]
    assert (columns["y"][1], columns["x"][1]) == (2, 3)


def test_no_objects():
    columns = measure(np.zeros((3, 3), int), StarPolygons.empty(8))
    assert all(len(column) == 0 for column in columns.values())


def test_only_visible_objects_are_kept():
    labels, polygons = keep_visible(np.array([[1, 3], [0, 4]], np.int32), _polygons(5))
    assert labels.tolist() == [[1, 2], [0, 3]]
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(polygons.points, _polygons(5).points[[0, 2, 3]])
    same, all_of_them = keep_visible(labels, polygons)
    assert same is labels
    assert all_of_them is polygons


@pytest.mark.parametrize("labels", [np.zeros((2, 2)), np.zeros(3, int), np.full((2, 2), 4), np.full((2, 2), -1)])
def test_what_does_not_fit_is_refused(labels):
    with pytest.raises(ImageError, match="expected"):
        measure(labels, _polygons(3))


def test_micrometres_where_the_size_of_a_pixel_is_known():
    columns = measure(np.kron(np.array([[0, 1], [2, 0]]), np.ones((4, 5), int)))
    assert in_micrometres(columns, None).keys() == columns.keys()
    larger = in_micrometres(columns, (0.5, 0.25))
    assert list(larger) == [*columns, "area_um2", "diameter_um"]
    np.testing.assert_allclose(larger["area_um2"], [20 * 0.125, 20 * 0.125])
    np.testing.assert_allclose(np.pi / 4 * larger["diameter_um"] ** 2, larger["area_um2"])

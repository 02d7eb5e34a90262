"""StarPolygons: a container that keeps its columns together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import StarpolyError
from starpoly.polygons import StarPolygons, rank_by_score

import reference


def three(classes: bool = False) -> StarPolygons:
    return StarPolygons(
        points=[[5, 1], [3, 2], [3, 1]],
        distances=np.arange(12).reshape(3, 4),
        probabilities=[0.5, 0.9, 0.9],
        class_probabilities=[[0, 1, 0], [0.8, 0.05, 0.15], [0.1, 0.6, 0.3]] if classes else None,
    )


def test_score_order_breaks_ties_by_y_then_x():
    assert three().score_order().tolist() == [2, 1, 0]


def test_position_order_breaks_ties_by_score():
    polygons = StarPolygons([[5, 1], [3, 2], [3, 1], [3, 1]], np.ones((4, 4)), [0.9, 0.9, 0.4, 0.5])
    assert polygons.position_order().tolist() == reference.by_position(polygons) == [3, 2, 1, 0]


def test_vertices_follow_the_convention():
    square = StarPolygons([[10, 20]], [[1, 2, 3, 4]], [1])
    # ray 0 points along +x, ray 1 along +y
    np.testing.assert_allclose(square.vertices()[0], [[10, 12, 10, 6], [21, 20, 17, 20]], atol=1e-12)


def test_take_shift_and_concatenate_keep_columns_together():
    polygons = three(classes=True)
    joined = StarPolygons.concatenate([polygons.take([2]), polygons.take(np.array([True, False, False]))])
    np.testing.assert_array_equal(joined.points, [[3, 1], [5, 1]])
    np.testing.assert_array_equal(joined.distances[1], polygons.distances[0])
    assert joined.classes.tolist() == [1, 1]
    np.testing.assert_array_equal(joined.shift((1, -2)).points, [[4, -1], [6, -1]])


def test_background_is_never_an_objects_class():
    assert three(classes=True).classes.tolist() == [1, 2, 1]
    assert three().classes is None


def test_scale_maps_image_corners_onto_corners():
    # the lower right corner of a 4 x 4 image lies at 3.5; twice as large, at 7.5
    corner = StarPolygons([[3.5, -0.5]], [[1, 1, 1]], [1]).scale(2)
    np.testing.assert_allclose(corner.points, [[7.5, -0.5]])
    np.testing.assert_allclose(corner.distances, 2)


def test_empty_has_the_right_columns():
    empty = StarPolygons.empty(8, n_classes=2)
    assert len(empty) == 0
    assert empty.n_rays == 8
    assert empty.class_probabilities.shape == (0, 3)
    assert empty.outer_radii.shape == (0,)
    assert empty.vertices().shape == (0, 2, 8)


@pytest.mark.parametrize(
    "columns",
    [
        {"points": np.zeros((2, 3)), "distances": np.zeros((2, 8)), "probabilities": np.zeros(2)},
        {"points": np.zeros((2, 2)), "distances": np.zeros((3, 8)), "probabilities": np.zeros(2)},
        {"points": np.zeros((2, 2)), "distances": np.zeros((2, 8)), "probabilities": np.zeros(3)},
    ],
)
def test_columns_that_disagree_are_refused(columns):
    with pytest.raises(StarpolyError, match="expected"):
        StarPolygons(**columns)


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.booleans())
def test_score_order_is_that_of_its_three_keys(seed, n, sorted_by_place):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, (n, 2)).astype(np.float32)
    points = points[np.lexsort((points[:, 1], points[:, 0]))] if sorted_by_place else points
    probabilities = rng.choice(
        np.array([-0.0, 0.0, 1e-40, 0.25, 0.5, 1.0, np.nan], np.float32)[: rng.integers(1, 8)], n
    )
    expected = np.lexsort((points[:, 1], points[:, 0], -probabilities))
    np.testing.assert_array_equal(rank_by_score(probabilities, points), expected)


def test_a_set_tells_its_size_in_one_line():
    assert repr(three()) == "StarPolygons(3 polygons, 4 rays)"
    assert repr(StarPolygons.empty(32, 3)) == "StarPolygons(0 polygons, 32 rays, 3 classes)"


def test_outlines_go_with_their_polygons():
    outline = np.array([[0, 0], [0, 2], [3, 1]], np.float32)
    polygons = StarPolygons(np.zeros((2, 2)), np.ones((2, 4)), np.ones(2), outlines=[None, outline])
    first, second = polygons.take([1, 0]).outlines
    assert second is None
    assert first is outline
    joined = StarPolygons.concatenate([polygons.take(slice(1)), StarPolygons.empty(4), polygons.take([1])])
    assert [each is None for each in joined.outlines] == [True, False]
    np.testing.assert_array_equal(polygons.shift((1, 2)).outlines[1], outline + np.array([1, 2]))
    np.testing.assert_array_equal(polygons.scale(2).outlines[1], outline * 2 + 0.5)
    assert StarPolygons.concatenate([StarPolygons.empty(4)]).outlines is None
    with pytest.raises(StarpolyError, match="2 outlines"):
        StarPolygons(np.zeros((2, 2)), np.ones((2, 4)), np.ones(2), outlines=[None])

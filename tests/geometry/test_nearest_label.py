"""Labels expand into the background, each pixel to the nearest object."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import ConfigError
from starpoly.geometry.nearest_label import Reach, expand_to_nearest
from starpoly.tiling import Box

import reference


def drawn(text: str) -> np.ndarray:
    return np.array([[int(c) if c.isdigit() else 0 for c in row] for row in text.split()], np.int32)


@pytest.mark.parametrize(
    ("labels", "distance", "expected"),
    [
        ("1......", 3, "1111..."),
        ("2...1", 2, "22111"),  # the smaller of two labels at the same distance
        ("1.2", 5, "112"),
        ("..... ..1.. .....", 1, "..1.. .111. ..1.."),
        ("..... ..1.. .....", 1.5, ".111. .111. .111."),
        (".....", 3, "....."),
    ],
)
def test_tiny_cases(labels, distance, expected):
    np.testing.assert_array_equal(expand_to_nearest(drawn(labels), Reach(distance)), drawn(expected))


@st.composite
def spots(draw):
    """Pixels and blocks with labels, in any order of labels."""
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    labels = np.zeros(shape, draw(st.sampled_from([np.uint8, np.uint16, np.int32, np.uint32, np.int64])))
    for label in draw(st.permutations(range(1, 1 + draw(st.integers(0, 7))))):
        y, x = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))
        labels[y : y + draw(st.integers(1, 3)), x : x + draw(st.integers(1, 3))] = label
    return labels


@given(spots(), st.sampled_from([0.5, 1, 1.5, 2, 3, 5, 7.3, 30]))
def test_equals_the_slow_twin(labels, distance):
    found = expand_to_nearest(labels, Reach(distance))
    assert found.dtype == labels.dtype
    np.testing.assert_array_equal(found, reference.expand_to_nearest(labels, distance))


@given(spots(), st.sampled_from([1, 2.5, 6]), st.sampled_from([(0.5, 0.25), (1, 3)]))
def test_pixels_that_are_no_squares(labels, distance, pixel):
    found = expand_to_nearest(labels, Reach(distance / pixel[1], pixel[0] / pixel[1]))
    np.testing.assert_array_equal(found, reference.expand_to_nearest(labels, distance, pixel))


@given(spots(), st.sampled_from([1, 2.5, 6]), st.data())
def test_a_region_with_its_margin_is_that_part_of_the_whole(labels, distance, data):
    corners = [sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in labels.shape]
    (y0, y1), (x0, x1) = corners
    step, margin = data.draw(st.integers(1, 4)), int(distance)
    whole = expand_to_nearest(labels, Reach(distance))
    wide = Box(y0 - margin, x0 - margin, y1 + margin, x1 + margin).clip(labels.shape)
    inner = Box(y0 - wide.y0, x0 - wide.x0, y1 - wide.y0, x1 - wide.x0)
    found = expand_to_nearest(labels[wide.slices], Reach(distance), inner, step)
    np.testing.assert_array_equal(found, whole[y0:y1:step, x0:x1:step])


@given(spots(), st.sampled_from([1, 3, 8]))
def test_turning_and_mirroring_change_nothing(labels, distance):
    whole = expand_to_nearest(labels, Reach(distance))
    for turn in (lambda a: a.T, lambda a: a[::-1], np.rot90):
        np.testing.assert_array_equal(expand_to_nearest(turn(labels), Reach(distance)), turn(whole))


def test_distances_are_those_of_scikit_image():
    segmentation = pytest.importorskip("skimage.segmentation")
    rng = np.random.default_rng(3)
    labels = np.zeros((90, 120), np.int32)
    for label in range(1, 40):
        y, x = rng.integers(0, labels.shape)
        labels[y : y + 5, x : x + 4] = label
    for distance in (1, 4, 9.5):
        ours, theirs = expand_to_nearest(labels, Reach(distance)), segmentation.expand_labels(labels, distance)
        np.testing.assert_array_equal(ours > 0, theirs > 0)
        assert np.mean(ours != theirs) < 0.02  # ties


@pytest.mark.parametrize("distance", [0, -1, float("nan"), float("inf"), 1025, 1e9])
def test_distances_that_make_no_sense_are_refused(distance):
    with pytest.raises(ConfigError, match=r"expand: expected a distance above 0, of at most 1024 pixels"):
        Reach(distance)


def test_a_distance_of_whole_pixels_keeps_them_despite_rounding():
    assert Reach(0.3 / 0.1).pixels == (3, 3)
    assert Reach(0.3 / 0.1, 0.5).pixels == (6, 3)

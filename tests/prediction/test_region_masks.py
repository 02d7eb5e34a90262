"""Masks of any size over an image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from starpoly.errors import ImageError
from starpoly.prediction.region_masks import read_mask
from starpoly.prediction.tissue import RegionMask
from starpoly.tiling import Box

from support.examples import picture


def every_pixel(shape) -> np.ndarray:
    return np.stack(np.indices(shape), axis=-1).reshape(-1, 2)


def test_a_mask_of_the_same_size_is_itself():
    mask = picture("..1..", ".111.", "1....") > 0
    points = every_pixel(mask.shape)
    np.testing.assert_array_equal(RegionMask(mask, mask.shape).contains(points), mask[tuple(points.T)])


def test_a_mask_is_stretched_over_the_image():
    large = RegionMask(picture("1.", ".1") > 0, (6, 10))
    expected = np.kron(np.eye(2, dtype=bool), np.ones((3, 5), bool))
    np.testing.assert_array_equal(large.contains(every_pixel((6, 10))).reshape(6, 10), expected)
    assert large.fraction == 0.5


@given(
    data=st.data(),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_a_box_with_a_pixel_inside_is_never_taken_for_empty(data, shape, size):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    masked = RegionMask(rng.random(size) < 0.2, shape)
    y0, x0 = data.draw(st.integers(0, shape[0] - 1)), data.draw(st.integers(0, shape[1] - 1))
    box = Box(y0, x0, data.draw(st.integers(y0, shape[0])), data.draw(st.integers(x0, shape[1])))
    part = masked.within(box) if min(box.shape) else None
    double = masked.resized((2 * shape[0], 2 * shape[1])), Box(2 * box.y0, 2 * box.x0, 2 * box.y1, 2 * box.x1)
    for whole, where in ((masked, box), double):
        points = every_pixel(where.shape) + np.array([where.y0, where.x0])
        inside = whole.contains(points)
        assert not inside.any() or whole.overlaps(where)
        if whole is masked and part is not None:
            np.testing.assert_array_equal(part.contains(every_pixel(box.shape)), inside)


def test_twice_as_large_is_the_same_part():
    masked = RegionMask(picture("1..", ".1.", "111") > 0, (9, 12))
    once = masked.contains(every_pixel((9, 12))).reshape(9, 12)
    twice = masked.resized((18, 24)).contains(every_pixel((18, 24))).reshape(18, 24)
    np.testing.assert_array_equal(twice, np.kron(once, np.ones((2, 2), bool)))


def test_only_what_meets_the_mask_overlaps():
    masked = RegionMask(picture("1...") > 0, (100, 400))
    assert masked.overlaps(Box(0, 0, 10, 10))
    assert masked.overlaps(Box(90, 99, 200, 500))
    assert not masked.overlaps(Box(0, 100, 100, 400))
    assert not masked.overlaps(Box(5, 5, 5, 5))


def test_points_outside_the_image_are_not_inside():
    whole = RegionMask(np.ones((1, 1), bool), (4, 4))
    assert whole.contains(np.array([[-1, 0], [0, 4], [3, 3], [np.nan, 0]])).tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("size", "fits"), [((50, 80), True), ((51, 81), True), ((7, 10), True), ((80, 50), False), ((50, 90), False)]
)
def test_a_mask_has_the_aspect_ratio_of_the_image(tmp_path, size, fits):
    Image.fromarray(np.full(size, 255, np.uint8)).save(tmp_path / "mask.png")
    if fits:
        assert read_mask(tmp_path / "mask.png", (501, 805)).fraction == pytest.approx(1)
    else:
        with pytest.raises(ImageError, match="in proportion"):
            read_mask(tmp_path / "mask.png", (501, 805))


def test_an_empty_mask_is_refused(tmp_path):
    Image.fromarray(np.zeros((5, 8), np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(ImageError, match="zeros only"):
        read_mask(tmp_path / "mask.png", (50, 80))


def test_fingerprints_are_those_of_old_journals():
    mask = RegionMask(picture("1..", ".11") > 0, (20, 30))
    assert mask.fingerprint() == "781b09c326c503141f7fb01fb5ae8d7e"
    assert mask.within(Box(0, 0, 10, 10)).fingerprint() != mask.fingerprint()

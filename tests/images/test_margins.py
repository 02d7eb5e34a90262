"""Margins without data: found where there is one, and without influence on the rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.errors import StarpolyWarning
from starpoly.images.levels import measure_levels
from starpoly.images.normalization import Normalizer, fit_normalizer

import reference
from support.micrograph import micrograph

NUMBERS = ["uint8", "uint16", "int16", "uint32", "int64", "float16", "float32", "float64"]
INSIDE = np.s_[6:-2, 3:]


def transmitted(dtype="uint8", shape=(97, 113), low=90, high=160):
    """Grey around the middle of the range, as of cells without a stain."""
    return micrograph(dtype, shape, low, high)


def with_margin(image, value=0):
    """The image where registration moved it: rows above and below and columns to the left are black."""
    moved = np.full_like(image, value)
    moved[INSIDE] = image[INSIDE]
    return moved


@given(
    value=st.integers(0, 120),
    low=st.integers(0, 120),
    width=st.integers(1, 120),
    margin=st.tuples(*[st.integers(0, 12)] * 4),
    strays=st.integers(0, 3),
    dtype=st.sampled_from(NUMBERS),
)
@settings(max_examples=200, deadline=None)
def test_found_as_by_a_slow_search(value, low, width, margin, strays, dtype):
    image = micrograph(dtype, (30, 33), low, low + width, seed=value)
    top, bottom, left, right = margin
    framed = np.full_like(image, value)
    framed[top : 30 - bottom, left : 33 - right] = image[top : 30 - bottom, left : 33 - right]
    framed[14, 10 : 10 + strays] = (value + low) // 2
    (found,) = measure_levels(framed).channels
    expected = reference.margin_of(framed, 1, 99.8)
    if found.floor is None:
        assert expected is None or expected[1] - expected[0] < 4
    else:
        np.testing.assert_allclose((found.low, found.high, found.fill, found.floor), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("shape", [(97, 113), (97, 113, 3)])
def test_the_rest_is_normalised_as_without(dtype, shape):
    image = transmitted(dtype, shape)
    framed = with_margin(image)
    expected = fit_normalizer(image[INSIDE])(image[INSIDE])
    normalized = fit_normalizer(framed)(framed)
    np.testing.assert_allclose(normalized[INSIDE], expected, atol=1e-6)
    np.testing.assert_allclose(normalized[0, 0], np.median(expected, axis=(0, 1)), atol=1e-6)
    np.testing.assert_array_equal(framed, with_margin(image))  # the image itself is not written to


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(transmitted(), id="no margin"),
        pytest.param(with_margin(transmitted(low=3, high=250)), id="of an intensity as the dark parts of the image"),
        pytest.param(with_margin(transmitted(), 140), id="bright"),
        pytest.param(np.pad(transmitted(), 80), id="most of the image, as around cells that were cut out"),
        pytest.param(np.where(np.indices((97, 113)).sum(0) % 9 == 2, 0, transmitted()), id="in the midst alone"),
        pytest.param(np.tri(97, 113, 20) * transmitted(low=0, high=160).astype(float), id="with all intensities between"),
        pytest.param(with_margin(np.full((97, 113), 100, np.uint8)), id="around nothing"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*(constant|without contrast)")
def test_intensities_that_are_no_margin(image):
    (levels,) = measure_levels(image).channels
    assert levels.floor is None
    assert levels.low == np.percentile(image, 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_is_a_margin_where_it_reaches_a_corner(dtype):
    image = transmitted(dtype)
    holed, framed = image.copy(), with_margin(image, np.nan)
    holed[50, 50] = np.nan
    with pytest.warns(StarpolyWarning, match="they count as the median of the others, as a margin does"):
        normalized = fit_normalizer(framed)(framed)
    np.testing.assert_allclose(normalized[INSIDE], fit_normalizer(image[INSIDE])(image[INSIDE]), atol=1e-6)
    np.testing.assert_allclose(normalized[0, 0], np.median(normalized[INSIDE]), atol=1e-6)
    with pytest.warns(StarpolyWarning, match="they count as the smallest finite value"):
        assert fit_normalizer(holed)(holed)[50, 50] == fit_normalizer(holed)(image).min()


def test_nan_within_a_black_margin():
    image = with_margin(transmitted("float32"))
    image[50, 50] = np.nan
    (levels,) = measure_levels(image).channels
    assert levels.n_bad == 1
    assert levels.floor == pytest.approx(levels.low / 2)


def test_a_normalizer_with_a_margin_is_plain_json_and_back():
    normalizer = fit_normalizer(with_margin(transmitted()))
    assert Normalizer(**normalizer.to_dict()) == normalizer
    assert "floor" not in fit_normalizer(transmitted()).to_dict()


def test_pixels_between_margin_and_image_belong_to_the_nearer():
    normalizer = Normalizer((100,), (200,), (150,), floor=(50,))
    np.testing.assert_array_equal(normalizer(np.uint8([[0, 50, 51, 100]]))[..., 0], np.float32([[0.5, 0.5, -0.49, 0]]))

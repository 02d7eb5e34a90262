"""Images to the range that the network takes, and what has no contrast."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from starpoly.config import NormalizationConfig
from starpoly.errors import ImageError, StarpolyWarning
from starpoly.images.normalization import Normalizer, as_normalizer, fit_normalizer
from starpoly.io.readers.array import ArraySource

from support.micrograph import micrograph


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(97, 113), (61, 40, 3)])
def test_gives_the_numbers_of_numpy_percentile(dtype, shape):
    image = micrograph(dtype, shape)
    low, high = np.percentile(image, (1, 99.8), axis=(0, 1))
    expected = ((image - low) / (high - low)).reshape(*shape[:2], -1)
    result = fit_normalizer(image)(image)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_agrees_with_csbdeep():
    csbdeep = pytest.importorskip("csbdeep.utils")
    image = micrograph(np.uint16, (80, 70, 2), high=4000)
    np.testing.assert_allclose(fit_normalizer(image)(image), csbdeep.normalize(image, 1, 99.8, axis=(0, 1)), atol=1e-6)


def test_a_crop_is_normalised_as_in_the_whole():
    image = micrograph(np.float32)
    normalizer = fit_normalizer(image)
    np.testing.assert_array_equal(normalizer(image[10:20, 5:50]), normalizer(image)[10:20, 5:50])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_counts_as_the_minimum_and_is_said(bad):
    image = micrograph(np.float32)
    holed, filled = image.copy(), image.copy()
    holed[3, 4], filled[3, 4] = bad, image.min()
    with pytest.warns(StarpolyWarning, match="1 values of the image are masked, NaN"):
        normalizer = fit_normalizer(holed)
    assert normalizer == fit_normalizer(filled)
    np.testing.assert_array_equal(normalizer(holed), normalizer(filled))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 20), np.uint8),
        np.full((20, 20), 65535, np.uint16),
        np.full((20, 20), 0.1),
        np.full((20, 20), -7, np.int32),
        np.full((20, 20), np.nan, np.float32),
        np.ones((1, 1), bool),
    ],
)
@pytest.mark.filterwarnings("ignore:.* are masked, NaN")
def test_a_constant_image_becomes_zero(image):
    with pytest.warns(StarpolyWarning, match="constant"):
        normalized = fit_normalizer(image)(image)
    np.testing.assert_array_equal(normalized, np.zeros((*image.shape, 1)))


def test_one_grey_level_of_noise_is_not_blown_up():
    image = np.random.default_rng(0).integers(100, 102, (64, 64)).astype(np.uint8)
    with pytest.warns(StarpolyWarning, match="constant or nearly so"):
        normalized = fit_normalizer(image)(image)
    assert normalized.max() <= 0.25


def test_rounding_errors_of_a_constant_are_not_blown_up():
    image = np.float32(0.3) + np.random.default_rng(0).normal(0, 1e-8, (64, 64)).astype(np.float32)
    with pytest.warns(StarpolyWarning, match="constant"):
        assert abs(fit_normalizer(image)(image)).max() < 0.02


@pytest.mark.parametrize(("dtype", "peak"), [(np.uint8, 180), (np.float32, 0.5)])
def test_a_sparse_image_keeps_its_object(dtype, peak):
    image = np.zeros((200, 200), dtype)
    image[50:55, 60:65] = peak
    with pytest.warns(StarpolyWarning, match="stretched to the maximum"):
        normalized = fit_normalizer(image)(image)
    assert normalized.max() == 1
    assert normalized.min() == 0


def test_a_dark_image_is_stretched_as_usual():
    image = np.random.default_rng(0).integers(4, 10, (64, 64)).astype(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        normalized = fit_normalizer(image, NormalizationConfig(0, 100))(image)
    assert (normalized.min(), normalized.max()) == (0, 1)


def test_bool_images_use_their_whole_range():
    image = np.eye(20, dtype=bool)
    np.testing.assert_array_equal(fit_normalizer(image)(image)[..., 0], image)


def test_constant_channels_are_named():
    image = micrograph(np.uint8, (30, 30, 3))
    image[..., 1] = 9
    with pytest.warns(StarpolyWarning, match="channels 1 of 3"):
        assert not fit_normalizer(image)(image)[..., 1].any()


def test_outliers_stay_finite():
    image = micrograph(np.float64, high=1)
    image[0, 0] = 1e300
    normalized = fit_normalizer(image)(image)
    assert np.isfinite(normalized).all()
    assert normalized[1:].max() > 0.9


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_hot_pixels_are_clipped_and_the_rest_is_as_without(dtype):
    image = micrograph(dtype, (200, 200), high=20)
    hot = image.copy()
    hot[3, 3] = 255
    expected, found = fit_normalizer(image)(image), fit_normalizer(hot)(hot)
    assert found[3, 3] == 5
    np.testing.assert_allclose(np.delete(found, 3, 0), np.delete(expected, 3, 0), atol=0.05)


def test_intensities_taken_as_they_are_are_not_clipped():
    image = np.float32([[0, 300], [-300, 1]])
    np.testing.assert_array_equal(as_normalizer(False, image)[1](image)[..., 0], image)


def test_wide_integers_with_an_offset_keep_their_contrast():
    image = micrograph(np.int32, low=0, high=200) + np.int32(2**30)
    normalized = fit_normalizer(image)(image)
    assert len(np.unique(normalized)) == len(np.unique(image))


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 1e9), (1 / 255, 1e6), (1 / 255, -1e6)])
def test_doubles_with_an_offset_keep_their_contrast(scale, offset):
    image = micrograph(np.float64, low=0, high=200).round()
    moved = fit_normalizer(image * scale + offset)(image * scale + offset)
    np.testing.assert_allclose(moved, fit_normalizer(image)(image), atol=1e-3)


def test_values_of_a_grey_image_are_counted_once_where_it_became_three_channels():
    image = micrograph(np.float32, (20, 20))
    image[3:5, 3:5] = np.nan
    three = np.stack([image, image, image + 1], axis=2)
    for given, n in ((np.repeat(image[..., None], 3, axis=2), 4), (three, 8)):
        with pytest.warns(StarpolyWarning, match=f"^{n} values of the image are masked, NaN"):
            fit_normalizer(given)


def test_numbers_that_a_double_does_not_tell_apart_have_no_contrast():
    image = micrograph(np.float64, low=0, high=200).astype(np.uint64) + np.uint64(2**63)
    with (
        pytest.warns(StarpolyWarning, match="constant or nearly so"),
        pytest.warns(StarpolyWarning, match=r"64-bit intensities beyond 2\*\*53.*subtract the smallest"),
    ):
        assert not fit_normalizer(image)(image).any()


def test_survives_json():
    normalizer = fit_normalizer(micrograph(np.float64, (20, 20, 2)))
    assert Normalizer(**json.loads(json.dumps(normalizer.to_dict()))) == normalizer


@pytest.mark.parametrize(
    "image", [np.zeros((0, 3)), np.zeros(4), np.zeros((2, 2, 2, 2)), np.zeros((3, 3), complex), np.zeros((3, 3), "U1")]
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ImageError, match="expected"):
        fit_normalizer(image)


def test_other_channels_are_refused():
    with pytest.raises(ImageError, match="expected 1 channels, got 3"):
        Normalizer((0,), (1,))(np.zeros((4, 4, 3)))
    with pytest.raises(ImageError, match="low < high"):
        Normalizer((1,), (1,))


class Halved:
    """Like a normaliser of csbdeep's, of one's own making."""

    def __init__(self):
        self.calls = []

    def before(self, x, axes):
        self.calls.append((x.shape, axes))
        return x / 2


def test_normalizers_of_starpoly_are_taken_as_they_are():
    image, normalizer = micrograph(np.uint8), Normalizer((1,), (2,))
    same, taken = as_normalizer(normalizer, image)
    assert same is image
    assert taken is normalizer
    assert as_normalizer(True, image)[1] == fit_normalizer(image)
    config = NormalizationConfig(5, 95)
    assert as_normalizer(True, image, config)[1] == fit_normalizer(image, config)
    for nothing in (False, None):
        np.testing.assert_array_equal(as_normalizer(nothing, image)[1](image)[..., 0], image)


@pytest.mark.parametrize("shape", [(80, 70), (80, 70, 2)])
def test_percentile_normalizers_of_csbdeep_see_the_whole_image(shape):
    csbdeep = pytest.importorskip("csbdeep.data")
    image = micrograph(np.uint16, shape, high=4000)
    given = csbdeep.PercentileNormalizer(3, 99)
    same, normalizer = as_normalizer(given, image)
    assert same is image
    expected = given.before(image, "YXC"[: image.ndim]).reshape(80, 70, -1)
    np.testing.assert_allclose(normalizer(image), expected, atol=1e-6)
    np.testing.assert_allclose(normalizer(image[10:20, 5:9]), expected[10:20, 5:9], atol=1e-6)
    # percentiles of a file are found block by block
    assert as_normalizer(given, ArraySource(image))[1] == normalizer


def test_no_normalizer_of_csbdeep_leaves_the_image_alone():
    csbdeep = pytest.importorskip("csbdeep.data")
    image = micrograph(np.float32, (9, 9, 3), high=1)
    np.testing.assert_array_equal(as_normalizer(csbdeep.NoNormalizer(), image)[1](image), image)


@pytest.mark.parametrize("shape", [(8, 7), (8, 7, 3)])
def test_other_normalizers_are_called_once_on_the_whole_image(shape):
    image, given = micrograph(np.uint8, shape), Halved()
    normalized, normalizer = as_normalizer(given, image)
    assert given.calls == [(shape, "YXC"[: len(shape)])]
    np.testing.assert_array_equal(normalizer(normalized).reshape(shape), image / 2)
    with pytest.raises(ImageError, match=r"image in memory for Halved.*got ArraySource; give percentiles"):
        as_normalizer(given, ArraySource(image))
    assert len(given.calls) == 1


def test_clipping_percentiles_are_csbdeeps_own():
    csbdeep = pytest.importorskip("csbdeep.data")
    image = micrograph(np.uint16, high=4000)
    normalized, normalizer = as_normalizer(csbdeep.PercentileNormalizer(5, 95, clip=True), image)
    result = normalizer(normalized)
    assert (result.min(), result.max()) == (0, 1)


def test_what_is_no_normalizer_is_refused():
    class Cropping(Halved):
        def before(self, x, axes):
            return x[1:]

    image = micrograph(np.uint8)
    with pytest.raises(ImageError, match=r"starpoly or csbdeep, True or False, got str; fit_normalizer"):
        as_normalizer("percentiles", image)
    with pytest.raises(ImageError, match=r"Cropping to keep the image's shape"):
        as_normalizer(Cropping(), image)


def test_a_normalizer_tells_its_ranges_in_one_line():
    assert repr(Normalizer((1, 0.5), (200, 4095))) == "Normalizer(1 to 200, 0.5 to 4095)"

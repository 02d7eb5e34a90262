from __future__ import annotations

import json
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from starpoly.config import NormalizationConfig
from starpoly.errors import ImageError, StarpolyWarning
from starpoly.images import normalization as normalize
from starpoly.images.normalization import Normalizer, fit_normalizer
from starpoly.io.readers.array import ArraySource


def _micrograph(dtype, shape=(97, 113), low=3, high=250, seed=0):
    """A smooth bright-on-dark picture of the given range."""
    rng = np.random.default_rng(seed)
    return (low + (high - low) * rng.random(shape) ** 3).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(97, 113), (61, 40, 3)])
def test_gives_the_numbers_of_numpy_percentile(dtype, shape):
    image = _micrograph(dtype, shape)
    low, high = np.percentile(image, (1, 99.8), axis=(0, 1))
    expected = ((image - low) / (high - low)).reshape(*shape[:2], -1)
    result = fit_normalizer(image)(image)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_agrees_with_csbdeep():
    csbdeep = pytest.importorskip("csbdeep.utils")
    image = _micrograph(np.uint16, (80, 70, 2), high=4000)
    np.testing.assert_allclose(fit_normalizer(image)(image), csbdeep.normalize(image, 1, 99.8, axis=(0, 1)), atol=1e-6)


NUMBERS = [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float16, np.float32, np.float64]


@given(data=st.data(), dtype=st.sampled_from(NUMBERS), percentiles=st.tuples(st.floats(0, 49), st.floats(51, 100)))
@settings(max_examples=200, deadline=None)
def test_counted_percentiles_equal_those_of_sorted_values(data, dtype, percentiles):
    dtype = np.dtype(dtype)
    bounds = {"min_value": -1e4, "max_value": 1e4} if dtype.kind == "f" or dtype.itemsize > 4 else {}
    elements = hnp.from_dtype(dtype, **{name: dtype.type(value).item() for name, value in bounds.items()})
    image = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=elements))
    (summary,) = normalize._summarize(image, percentiles)
    # numpy rounds percentiles of float16 to float16
    expected = np.percentile(image.astype(np.float32 if image.dtype == np.float16 else np.float64), percentiles)
    np.testing.assert_allclose((summary.low, summary.high), expected, rtol=1e-6, atol=1e-9)
    assert (summary.minimum, summary.maximum) == (image.min(), image.max())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(40, 31), (40, 31, 3)])
def test_blocks_do_not_matter(monkeypatch, dtype, shape):
    image = _micrograph(dtype, shape)
    whole = fit_normalizer(image)
    monkeypatch.setattr(normalize, "_BLOCK_PIXELS", 100)
    monkeypatch.setattr(normalize, "_COUNT_AT_ONCE", 30)
    assert fit_normalizer(image) == whole


class Watched(ArraySource):
    """An array stored in blocks that remembers which boxes were read, and of how many channels."""

    def __init__(self, array, block, offset=(0, 0)):
        super().__init__(array)
        self.block, self.offset = block, offset
        self.boxes = []

    def read(self, box, channels):
        self.boxes.append((box, tuple(channels)))
        return super().read(box, channels)


@pytest.mark.parametrize(
    ("dtype", "passes"), [(np.uint8, 1), (np.uint16, 1), (np.float32, 2), (np.int32, 2), (np.float64, 4)]
)
@pytest.mark.parametrize(
    ("block", "offset"), [((8, 16), (0, 0)), ((8, 16), (5, 11)), ((1, 96), (0, 0)), ((1, 1), (0, 0))]
)
def test_every_block_is_read_once_in_all_channels(monkeypatch, dtype, passes, block, offset):
    monkeypatch.setattr(normalize, "_BLOCK_BYTES", 3 * 500 * np.dtype(dtype).itemsize)
    image = _micrograph(dtype, (50, 96, 3))
    source = Watched(image, block, offset)
    assert fit_normalizer(source) == fit_normalizer(image)
    touched = np.zeros((8, 8) if block == (8, 16) else (50, 1), int)
    for box, channels in source.boxes:
        assert channels == (0, 1, 2)
        assert box.shape[0] * box.shape[1] <= 500
        if block != (1, 1):
            rows, columns = (
                slice((start + origin) // size, (stop + origin - 1) // size + 1)
                for start, stop, origin, size in zip((box.y0, box.x0), (box.y1, box.x1), offset, block, strict=True)
            )
            touched[rows, columns] += 1
    assert block == (1, 1) or set(touched[touched > 0]) == {passes}
    assert sum(box.shape[0] * box.shape[1] for box, _ in source.boxes) == passes * 50 * 96


def test_a_wide_image_is_read_in_bounded_memory():
    class Wide:
        """Blocks of a thousand rows of a hundred thousand RGB pixels, which nobody could hold."""

        shape, dtype, block = (1024, 100_000, 3), np.dtype(np.uint8), (1024, 1024)

        def __init__(self):
            self.sizes = []

        def __getitem__(self, key):
            shape = tuple(part.stop - part.start for part in key)
            self.sizes.append(3 * shape[0] * shape[1])
            return np.zeros((1, 1, 3), np.uint8)

    image = Wide()
    with pytest.warns(StarpolyWarning):
        fit_normalizer(image)
    assert max(image.sizes) <= 1 << 24
    assert sum(image.sizes) == 3 * 1024 * 100_000


def test_a_crop_is_normalised_as_in_the_whole():
    image = _micrograph(np.float32)
    normalizer = fit_normalizer(image)
    np.testing.assert_array_equal(normalizer(image[10:20, 5:50]), normalizer(image)[10:20, 5:50])


def test_percentiles_of_floats_are_exact_at_any_size():
    image = np.random.default_rng(0).lognormal(size=(1500, 1400)).astype(np.float32)
    low, high = np.percentile(image, (1, 99.8))
    normalizer = fit_normalizer(image)
    np.testing.assert_allclose((normalizer.low[0], normalizer.high[0]), (low, high), rtol=1e-6)


def test_memory_is_bounded():
    image = np.random.default_rng(0).random((3000, 3000), np.float32)
    tracemalloc.start()
    fit_normalizer(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_counts_as_the_minimum_and_is_said(bad):
    image = _micrograph(np.float32)
    holed, filled = image.copy(), image.copy()
    holed[3, 4], filled[3, 4] = bad, image.min()
    with pytest.warns(StarpolyWarning, match="1 values of the image are NaN"):
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
@pytest.mark.filterwarnings("ignore:.* are NaN")
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
    image = _micrograph(np.uint8, (30, 30, 3))
    image[..., 1] = 9
    with pytest.warns(StarpolyWarning, match="channels 1 of 3"):
        assert not fit_normalizer(image)(image)[..., 1].any()


def test_outliers_stay_finite():
    image = _micrograph(np.float64, high=1)
    image[0, 0] = 1e300
    normalized = fit_normalizer(image)(image)
    assert np.isfinite(normalized).all()
    assert normalized[1:].max() > 0.9


def test_wide_integers_with_an_offset_keep_their_contrast():
    image = _micrograph(np.int32, low=0, high=200) + np.int32(2**30)
    normalized = fit_normalizer(image)(image)
    assert len(np.unique(normalized)) == len(np.unique(image))


def test_survives_json():
    normalizer = fit_normalizer(_micrograph(np.float64, (20, 20, 2)))
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

"""Levels of channels, and which of them are worth a warning."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.errors import StarpolyWarning
from starpoly.images.levels import measure_levels


@pytest.fixture
def image():
    """A ramp with two holes, a constant channel, and one with a single bright pixel."""
    image = np.zeros((40, 40, 3))
    image[..., 0] = np.linspace(0, 1, 40)
    image[:2, 0, 0] = np.nan
    image[5, 5, 2] = 9
    return image


def test_each_channel_has_its_levels(image):
    ramp, constant, sparse = measure_levels(image).channels
    assert (ramp.n_bad, ramp.contrast) == (2, "")
    assert (constant.low, constant.high, constant.fill) == (0, 1, 0)
    assert (sparse.low, sparse.high) == (0, 9)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((0,), ["2 values"]),
        ((1,), ["channels 1 of 3: constant"]),
        ((2, 2), ["channels 2 of 3: without contrast"]),
        ((), []),
    ],
)
def test_only_channels_in_use_are_told_of(image, numbers, expected, recwarn):
    measure_levels(image).of(numbers).warn()
    assert [str(each.message).startswith(start) for each, start in zip(recwarn, expected, strict=True)] == [True] * len(
        expected
    )
    assert all(each.category is StarpolyWarning for each in recwarn)


def test_zeros_and_ones_are_as_bright_in_any_type():
    ones = np.indices((40, 40)).sum(axis=0) % 5 == 0
    for same in (ones, ones.astype(np.uint8), ones.astype(np.int64), ones.astype(float)):
        (levels,) = measure_levels(same).channels
        assert (levels.low, levels.high, levels.contrast) == (0, 1, "")
    (few,) = measure_levels(2 * ones.astype(np.uint8)).channels  # noise of a dark image
    assert few.high == 4


@pytest.mark.parametrize("offset", [0.0, 1e9, 1e13, 3e13])
def test_doubles_have_their_contrast_on_any_offset_that_is_exact(offset):
    grey = np.indices((40, 40)).sum(axis=0).astype(float)
    (plain,), (raised,) = (measure_levels(image).channels for image in (grey, grey + offset))
    assert raised.contrast == ""
    assert (raised.low - offset, raised.high - offset) == pytest.approx((plain.low, plain.high), abs=0.01)

"""Channels of a source: as those of an array, however small the blocks in which it is read."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.errors import ImageError, StarpolyWarning
from starpoly.images import percentiles
from starpoly.images.channels import as_channels
from starpoly.io.readers.array import ArraySource
from starpoly.io.readers.channels import match_channels
from starpoly.io.readers.images import open_source

from support.inputs import grey, stack, with_last

LAST_PIXEL = with_last(stack(1), 255)
LAST_PIXEL[-1, -1, -1] = 254
CASES = {
    "grey": stack(1),
    "rgb": stack(3),
    "grey as rgb": np.repeat(grey()[..., None], 3, axis=2),
    "one that varies": np.stack([0 * grey(), grey(), 0 * grey()], axis=2),
    "constant": np.zeros((20, 30, 3), np.uint8),
    "not a number": np.full((20, 30, 3), np.nan, np.float32),
    "alpha": with_last(stack(3), 255),
    "grey and alpha": with_last(stack(1), 3),
    "two channels": stack(2),
    "two channels but for a pixel": LAST_PIXEL,
    "four channels": stack(4),
    "five channels": stack(5),
}


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("image", CASES.values(), ids=CASES)
def test_a_source_in_blocks_has_the_channels_of_the_array(monkeypatch, image, n_channels):
    try:
        expected = as_channels(image, n_channels)
    except ImageError as refused:
        expected = str(refused)
    monkeypatch.setattr(percentiles, "_BLOCK_PIXELS", 100)
    if isinstance(expected, str):
        with pytest.raises(ImageError) as error:
            match_channels(open_source(image), n_channels)
        assert str(error.value).endswith(expected)
        return
    found = match_channels(open_source(image), n_channels)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found[:, :], expected)


@pytest.mark.parametrize("n_channels", [2, 3, 5])
def test_the_channel_of_nuclei_is_taken_by_its_name(n_channels):
    names = ["GFP", "DAPI", "mCherry", "Cy5", "far red"][:n_channels]
    source = ArraySource(stack(n_channels), channel_names=names)
    with pytest.warns(StarpolyWarning, match="DAPI is used"):
        found = match_channels(source, 1, by_name=True)
    np.testing.assert_array_equal(found[:, :], stack(n_channels)[..., 1:2])


def test_three_inputs_get_the_channel_of_nuclei_three_times():
    source = ArraySource(stack(5), channel_names=["GFP", "DAPI", "mCherry", "Cy5", "far red"])
    with pytest.warns(StarpolyWarning, match=r"expected 3 channels, .* DAPI is used"):
        found = match_channels(source, 3, by_name=True)
    np.testing.assert_array_equal(found[:, :], stack(5)[..., [1, 1, 1]])


def test_names_follow_the_order_that_is_asked_for():
    source = ArraySource(stack(2), channel_names=["BF", "DAPI"])
    assert open_source(source, channels=[1, 0]).channel_names == ("DAPI", "BF")
    assert open_source(source, channels=[1, 1]).channel_names == ("DAPI", "DAPI")

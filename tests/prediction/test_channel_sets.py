"""Which channels are tried."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.cli.demo import demo_images
from starpoly.io.readers.array import ArraySource
from starpoly.prediction.channel_sets import (
    NATURAL,
    ChannelSets,
    background_level,
    together,
)


def disks(ground, inside, dtype=np.uint8, noise=3.0, seed=0):
    """An image of four noisy disks on a noisy ground, a fifth of its area."""
    y, x = np.indices((120, 120))
    bright = sum((y - cy) ** 2 + (x - cx) ** 2 < 15**2 for cy in (30, 85) for cx in (30, 85)) > 0
    levels = np.where(bright, inside, ground) + noise * np.random.default_rng(seed).standard_normal(bright.shape)
    return np.clip(levels, 0, None).astype(dtype)


def stained(*channels):
    return np.stack(channels, axis=2)


def sets(image, n_inputs, names=()):
    return ChannelSets(ArraySource(image, channel_names=names)).of(n_inputs)


@pytest.mark.parametrize("n_inputs", [1, 3])
def test_grey_and_brightfield_colour_leave_no_choice(n_inputs):
    assert sets(disks(20, 200)[..., None], n_inputs) == [NATURAL]
    tissue = stained(disks(220, 100), disks(200, 60, seed=1), disks(210, 150, seed=2))
    assert sets(tissue, n_inputs) == [NATURAL]


def test_grey_saved_as_colour_leaves_no_choice():
    grey = disks(20, 200)
    assert sets(stained(grey, grey, grey), 3) == [NATURAL]
    assert sets(stained(grey, 0 * grey, 0 * grey), 3) == [NATURAL]


def test_of_fluorescence_in_colour_each_stain_is_tried_beside_all():
    image = stained(disks(5, 40, noise=9), disks(9, 60, noise=9, seed=1)[::-1], 0 * disks(5, 40))
    assert sets(image, 3) == [NATURAL, (0, 0, 0), (1, 1, 1)]
    assert sets(image, 1) == [NATURAL, (0,), (1,)]


def test_what_an_asked_model_takes_is_left_as_it_is():
    image = stained(disks(5, 40, noise=9), disks(9, 60, noise=9, seed=1)[::-1], disks(5, 90, noise=9, seed=2))
    for n_inputs in (1, 3):
        assert ChannelSets(ArraySource(image)).of(n_inputs, asked=True) == [NATURAL]
    named = ArraySource(image, channel_names=("GFP", "DAPI", "RFP"))
    assert ChannelSets(named).of(3, asked=True) == [NATURAL]
    assert ChannelSets(named).of(1, asked=True) == [(1,)]
    assert ChannelSets(ArraySource(image[..., :2])).of(1, asked=True) == [(0,), (1,)]


def test_of_two_and_many_stains_each_that_varies_is_tried():
    image = stained(*(disks(9, 60, seed=seed) for seed in range(4)), np.full((120, 120), 7, np.uint8))
    assert sets(image, 1) == [(0,), (1,), (2,), (3,)]
    assert sets(image[..., :2], 3) == [(0, 0, 0), (1, 1, 1)]
    assert sets(np.zeros((40, 50, 5), np.uint8), 1) == [NATURAL]


@pytest.mark.parametrize("names", [("GFP", "DAPI"), ("GFP", "Hoechst 33342", "RFP")])
def test_the_channel_of_nuclei_is_the_answer_whatever_the_others_look_like(names):
    image = stained(*(disks(20, 200, seed=seed) for seed in range(len(names))))
    assert sets(image, 1, names) == [(1,)]
    assert sets(image, 3, names) == [(1, 1, 1)]
    assert sets(image[..., :1], 1, ("DNA",)) == [NATURAL]


def test_too_many_channels_are_not_tried():
    assert sets(np.random.default_rng(0).random((20, 20, 17)), 1) == [NATURAL]


def test_a_network_of_as_many_channels_as_the_image_gets_all():
    assert sets(np.random.default_rng(0).random((20, 20, 5)), 5) == [NATURAL]


def test_telling_channels_together_are_in_the_order_of_the_file():
    assert together([4, 1, 2, 0], 3) == (1, 2, 4)
    assert together([2, 1], 3) == (1, 2, 2)
    assert together([2], 3) is None
    assert together([2, 1], 1) is None


def test_the_range_of_the_levels_does_not_matter():
    image = disks(20, 200, np.float64)
    assert background_level(image) == background_level(1000 * image + 7)


@pytest.mark.parametrize("image", [np.zeros((9, 9)), np.full((9, 9), np.nan), np.full((1, 1, 3), 7, np.uint8)])
def test_an_image_without_contrast_counts_as_dark(image):
    assert background_level(image) == 0


def test_of_a_large_image_the_middle_is_read():
    read = []

    class Large:
        shape = (50_000, 40_000, 3)

        def __getitem__(self, key):
            read.append(key)
            return np.zeros((*(part.stop - part.start for part in key), 3), np.uint8)

    assert not ChannelSets(Large()).is_colour_fluorescence
    assert read == [(slice(24_488, 25_512), slice(19_488, 20_512))]


def test_no_image_of_the_demo_asks_for_a_choice_of_channels():
    for image in demo_images().values():
        assert ChannelSets(ArraySource(image)).of(3) == [NATURAL]

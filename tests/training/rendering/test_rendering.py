"""Rendered images: a function of the seed, with objects in one piece that the image tells from the ground."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from starpoly.training.rendering.kinds import KINDS
from starpoly.training.rendering.patch import render_patch


@pytest.mark.parametrize("kind", KINDS)
def test_image_is_a_function_of_the_seed(kind):
    first, second = (render_patch(np.random.default_rng(5), (96, 80), kind=kind) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.image.shape == (96, 80, 3)
    assert first.image.dtype == np.uint8
    other = render_patch(np.random.default_rng(6), (96, 80), kind=kind)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_one_piece_and_ids_are_consecutive(kind):
    for seed in range(4):
        labels = render_patch(np.random.default_rng(seed), (96, 96), kind=kind).labels
        ids = np.unique(labels[labels > 0])
        np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))
        for value in ids:
            assert ndimage.label(labels == value, np.ones((3, 3)))[1] == 1

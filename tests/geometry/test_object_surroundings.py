"""Intensities and neighbours equal those of the slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.errors import StarpolyError
from starpoly.geometry.object_shape import label_boxes
from starpoly.geometry.object_surroundings import object_intensities, object_neighbours

import reference
from support.label_images import NAMED, label_images


def objects_of(labels):
    labels = labels.astype(np.uint32)
    n = int(labels.max(initial=0))
    return labels, np.arange(1, n + 1, dtype=np.uint32), label_boxes(labels, n)


def check(labels, pixels, gap, reach):
    found = object_intensities(*objects_of(labels), pixels, gap=gap, reach=reach)
    for channel, image in enumerate(pixels):
        for label, expected in reference.intensities(labels, image, gap, reach).items():
            np.testing.assert_allclose(found[label - 1, channel], expected, rtol=1e-10, atol=1e-10)


@given(label_images(), st.integers(0, 2), st.integers(2, 6), st.integers(0, 99), st.sampled_from([2, 9, 60_000]))
@settings(deadline=None)
def test_intensities(labels, gap, reach, seed, top):
    pixels = np.random.default_rng(seed).integers(0, top, (2, *labels.shape)).astype(float)
    check(labels, pixels, gap, reach)


@given(label_images(), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_what_is_not_finite_does_not_count(labels, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(size=(1, *labels.shape))
    pixels[rng.random(pixels.shape) < 0.4] = rng.choice([np.nan, np.inf, -np.inf])
    check(labels, pixels, 1, 3)


@given(label_images(), st.integers(0, 6))
@settings(deadline=None)
def test_neighbours(labels, reach):
    found = object_neighbours(*objects_of(labels), reach=reach)
    assert {label: found[label - 1] for label in reference.object_ids(labels)} == reference.neighbours(labels, reach)


def test_touching_objects_are_neighbours_and_have_no_background_between_them():
    labels = NAMED["touching"]
    assert object_neighbours(*objects_of(labels), reach=1).tolist() == [1, 1]
    pixels = np.where(labels == 0, 3.0, 100.0)[None]
    assert object_intensities(*objects_of(labels), pixels, gap=0, reach=2)[:, 0, 6].tolist() == [3, 3]


def test_a_reach_that_does_not_fit_is_refused():
    with pytest.raises(StarpolyError, match="reach from 0 to 62"):
        object_neighbours(*objects_of(NAMED["touching"]), reach=63)

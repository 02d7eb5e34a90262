"""Rendered images: a function of the seed, with objects in one piece that the image tells from the ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from starpoly.geometry.painting import keep_largest_pieces
from starpoly.training.rendering import render_patch
from starpoly.training.rendering.kinds import KINDS
from starpoly.training.rendering.scene import Scene
from starpoly.training.rendering.shapes import SHAPES


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


def contrast(image: np.ndarray, labels: np.ndarray) -> float:
    """How well the best channel, or its relief, tells objects from the ground, in standard deviations."""
    inside = ndimage.binary_erosion(labels > 0) if (labels > 0).mean() < 0.5 else labels > 0
    # borders, where labels fill the image
    outside = (labels == 0) | (ndimage.grey_dilation(labels, (3, 3)) != labels)
    outside &= ~inside if (labels > 0).mean() < 0.5 else True
    inside &= ~outside
    found = [0.0]
    for channel in np.moveaxis(image.astype(float), 2, 0):
        smooth = ndimage.gaussian_filter(channel, 1)
        for field in (smooth, np.abs(smooth - np.median(smooth)), ndimage.gaussian_gradient_magnitude(channel, 1)):
            found.append(abs(field[inside].mean() - field[outside].mean()) / (field.std() + 1e-3))
    return max(found)


@pytest.mark.parametrize("kind", KINDS)
def test_each_look_tells_objects_from_the_ground(kind):
    seen = []
    for seed in range(12):
        found = render_patch(np.random.default_rng(seed), (128, 128), kind=kind)
        if 0.01 < (found.labels > 0).mean() < 0.99:
            seen.append(contrast(found.image, found.labels))
    assert len(seen) >= 6
    assert np.median(seen) > 0.5, seen
    assert np.mean(np.array(seen) > 0.25) >= 0.75, seen


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_have_objects_of_the_wanted_size(name):
    for diameter in (12.0, 30.0):
        sizes = []
        for seed in range(8):
            labels = SHAPES[name](np.random.default_rng(seed), (160, 160), diameter)
            assert labels.shape == (160, 160)
            assert labels.dtype == np.int32
            assert labels.min() >= 0
            keep_largest_pieces(labels, 1)
            inner = labels.copy()
            inner[np.isin(labels, np.unique([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = 0
            sizes += np.sqrt(4 / np.pi * np.bincount(inner[inner > 0])[1:]).tolist()
        sizes = [size for size in sizes if size > 3]
        assert len(sizes) >= 5
        assert 0.5 * diameter < np.median(sizes) < 1.6 * diameter


def test_some_images_are_empty_and_most_are_not():
    covered = [render_patch(np.random.default_rng(seed), (64, 64)).labels.any() for seed in range(150)]
    assert 0.75 < np.mean(covered) < 1


def test_sizes_and_channels_are_those_asked_for():
    for size, n in (((40, 100), 1), ((33, 32), 2), ((64, 64), 4), ((20, 20), 3)):
        found = render_patch(np.random.default_rng(1), size, n)
        assert found.image.shape == (*size, n)
        assert found.labels.shape == size


def test_grey_looks_have_three_equal_channels_mostly():
    kinds = ("membranes", "specular", "DIC", "phase contrast bacteria")
    images = [render_patch(np.random.default_rng(s), (48, 48), kind=kinds[s % 4]).image for s in range(24)]
    assert sum(bool((image == image[..., :1]).all()) for image in images) > 12


def test_an_inset_takes_the_rim_of_every_object_but_no_object():
    labels = np.zeros((20, 30), np.int32)
    labels[4:16, 3:17] = 1
    labels[8:11, 20:28] = 2
    inset = Scene(labels, 2, 12.0).inset(3)
    assert np.array_equal(np.argwhere(inset.labels == 1)[[0, -1]], [[7, 6], [12, 13]])
    assert np.array_equal(inset.labels == 2, labels == 2)


def test_masks_of_bacteria_reach_beyond_their_bodies_sometimes():
    def drawn_width(rim):
        kind = replace(KINDS["phase contrast bacteria"], look=lambda rng, scene: scene.cover[..., None], rim=rim)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(KINDS, "bodies", kind)
            found = render_patch(np.random.default_rng(2), (96, 96), kind="bodies")
        return float(found.image.mean()), int(np.count_nonzero(found.labels))

    (without, labelled), (within, still) = drawn_width(0.0), drawn_width(1.0)
    assert within < 0.9 * without
    assert still == labelled

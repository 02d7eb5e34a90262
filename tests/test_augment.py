"""Augmentation moves image and labels together."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.augment import augment, change_intensity, cut_patch, flip_and_turn, random_matrix
from starpoly.config import AugmentConfig

STILL = AugmentConfig(gain=(1, 1), shift=0, gamma=(1, 1), blur=0, noise=0)


def disk(size: int = 65, radius: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    """An image that is its own label image: a disk off the centre."""
    y, x = np.mgrid[:size, :size]
    labels = (np.hypot(y - 30, x - 35) < radius).astype(np.int32)
    return labels[..., None].astype(np.float32), labels


def test_patch_inside_is_a_copy():
    image, labels = disk()
    patch, patch_labels = cut_patch(image, labels, (32, 30), (16, 24))
    np.testing.assert_array_equal(patch, image[24:40, 18:42])
    np.testing.assert_array_equal(patch_labels, labels[24:40, 18:42])


def test_small_image_is_mirrored_to_the_patch_size():
    image = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    patch, labels = cut_patch(image, np.zeros((3, 4), int), (1.5, 2), (9, 4))
    # as numpy pads by reflection, here wider than the image itself
    np.testing.assert_array_equal(patch, np.pad(image, ((3, 3), (0, 0), (0, 0)), mode="reflect"))
    assert labels.shape == (9, 4)


@pytest.mark.parametrize("seed", range(6))
def test_warped_image_and_labels_stay_together(seed):
    image, labels = disk()
    config = AugmentConfig(warp_probability=1.0, scale=(0.5, 2.0))
    matrix = random_matrix(np.random.default_rng(seed), config)
    patch, patch_labels = cut_patch(image, labels, (32, 32), (48, 48), matrix)
    agree = (patch[..., 0] > 0.5) == (patch_labels > 0)
    assert agree.mean() > 0.99
    # the area grows by the square of the magnification
    inside = cut_patch(image, labels, (32, 32), (160, 160), matrix)[1][40:-40, 40:-40]
    magnification = 1 / np.sqrt(np.linalg.det(matrix))
    if magnification < 1.5:
        assert (inside > 0).sum() >= 0.5 * labels.sum() * magnification**2


def test_warp_by_the_identity_is_a_copy():
    image, labels = disk()
    patch, patch_labels = cut_patch(image, labels, (31.5, 31.5), (20, 20), np.eye(2))
    np.testing.assert_allclose(patch, image[22:42, 22:42], atol=1e-6)
    np.testing.assert_array_equal(patch_labels, labels[22:42, 22:42])


@pytest.mark.parametrize("seed", range(8))
def test_flips_and_turns_stay_together_and_lose_nothing(seed):
    image, labels = disk()
    turned, turned_labels = flip_and_turn(np.random.default_rng(seed), AugmentConfig(), image, labels)
    np.testing.assert_array_equal(turned[..., 0] > 0, turned_labels > 0)
    assert turned_labels.sum() == labels.sum()


def test_oblong_patch_keeps_its_shape():
    labels = np.zeros((10, 20), int)
    for seed in range(8):
        image, turned = flip_and_turn(np.random.default_rng(seed), AugmentConfig(), labels[..., None], labels)
        assert turned.shape == (10, 20)
        assert image.shape == (10, 20, 1)


def test_intensity_at_rest_changes_nothing():
    image = np.linspace(-0.2, 1.5, 50, dtype=np.float32).reshape(5, 10, 1)
    np.testing.assert_allclose(change_intensity(np.random.default_rng(0), STILL, image), image, rtol=1e-6)


def test_intensity_change_is_finite_for_negative_values():
    image = np.full((8, 8, 2), -0.4, np.float32)
    assert np.isfinite(change_intensity(np.random.default_rng(1), AugmentConfig(), image)).all()


def test_same_seed_same_patch():
    image, labels = disk()
    first, second = (augment(np.random.default_rng(3), AugmentConfig(), image, labels) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_inverted_patches_are_negatives():
    image = np.random.default_rng(0).random((6, 5, 1)).astype(np.float32)
    changed = change_intensity(np.random.default_rng(1), STILL.replace(invert=1.0), image)
    np.testing.assert_allclose(changed, 1 - image, atol=1e-6)


def test_tint_gives_channels_gains_of_their_own_and_leaves_grey_alone():
    grey = np.random.default_rng(0).random((6, 5, 1)).astype(np.float32) + 0.1
    tinted = STILL.replace(tint=0.5)
    np.testing.assert_allclose(change_intensity(np.random.default_rng(1), tinted, grey), grey, atol=1e-6)
    gains = change_intensity(np.random.default_rng(1), tinted, np.repeat(grey, 3, axis=2)) / grey
    assert np.ptp(gains, axis=(0, 1)).max() < 1e-5
    assert len(set(gains[0, 0].round(4))) == 3

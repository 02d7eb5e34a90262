"""Augmentation moves image and labels together."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import AugmentConfig
from starpoly.training.augment import View, change_intensity, cut_patch, random_view

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
    patch, labels = cut_patch(image, np.zeros((3, 4), np.int32), (1.5, 2), (9, 4))
    # as numpy pads by reflection, here wider than the image itself
    np.testing.assert_array_equal(patch, np.pad(image, ((3, 3), (0, 0), (0, 0)), mode="reflect"))
    assert labels.shape == (9, 4)


@pytest.mark.parametrize("seed", range(6))
def test_warped_image_and_labels_stay_together(seed):
    image, labels = disk()
    config = AugmentConfig(warp_probability=1.0, scale=(0.5, 2.0))
    view = random_view(np.random.default_rng(seed), config, (48, 48))
    patch, patch_labels = cut_patch(image, labels, (32, 32), (48, 48), view)
    agree = (patch[..., 0] > 0.5) == (patch_labels > 0)
    assert agree.mean() > 0.99
    # the area grows by the square of the magnification
    inside = cut_patch(image, labels, (32, 32), (160, 160), view)[1][40:-40, 40:-40]
    magnification = 1 / np.sqrt(np.linalg.det(view.matrix))
    if magnification < 1.5:
        assert (inside > 0).sum() >= 0.5 * labels.sum() * magnification**2


def test_warp_by_the_identity_is_a_copy():
    image, labels = disk()
    patch, patch_labels = cut_patch(image, labels, (31.5, 31.5), (20, 20), View(np.eye(2)))
    np.testing.assert_allclose(patch, image[22:42, 22:42], atol=1e-6)
    np.testing.assert_array_equal(patch_labels, labels[22:42, 22:42])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_flips_and_quarter_turns_are_numpys(flip, turns, rng):
    image, labels = rng.random((12, 12, 2)).astype(np.float32), rng.integers(0, 5, (12, 12)).astype(np.int32)
    patch, patch_labels = cut_patch(image, labels, (6, 6), (12, 12), View(None, flip, turns))
    for got, given in ((patch, image), (patch_labels, labels)):
        np.testing.assert_array_equal(got, np.rot90(given[:, ::-1] if flip else given, turns))
    # with a matrix that does nothing else, too
    warped, warped_labels = cut_patch(image, labels, (5.5, 5.5), (12, 12), View(np.eye(2), flip, turns))
    np.testing.assert_allclose(warped, patch, atol=1e-6)
    np.testing.assert_array_equal(warped_labels, patch_labels)


def test_oblong_patch_keeps_its_shape():
    image, labels = np.zeros((30, 30, 1), np.float32), np.zeros((30, 30), np.int32)
    views = [
        random_view(np.random.default_rng(seed), AugmentConfig(warp_probability=0), (10, 20)) for seed in range(20)
    ]
    assert {(view.flip, view.turns) for view in views} == {(flip, turns) for flip in (False, True) for turns in (0, 2)}
    for view in views:
        patch, patch_labels = cut_patch(image, labels, (15, 15), (10, 20), view)
        assert patch.shape == (10, 20, 1)
        assert patch_labels.shape == (10, 20)


def test_views_are_what_the_settings_allow():
    seen = [random_view(np.random.default_rng(seed), AugmentConfig(), (16, 16)) for seed in range(60)]
    assert {view.turns for view in seen} == {0, 1, 2, 3}
    assert {view.flip for view in seen} == {False, True}
    assert 15 < sum(view.matrix is not None for view in seen) < 45
    none = AugmentConfig(flip=False, quarter_turns=False, warp_probability=0)
    assert all(random_view(np.random.default_rng(seed), none, (16, 16)) == View() for seed in range(10))


def test_intensity_at_rest_changes_nothing():
    image = np.linspace(-0.2, 1.5, 50, dtype=np.float32).reshape(5, 10, 1)
    np.testing.assert_allclose(change_intensity(np.random.default_rng(0), STILL, image), image, rtol=1e-6)


def test_intensity_change_is_finite_for_negative_values():
    image = np.full((8, 8, 2), -0.4, np.float32)
    assert np.isfinite(change_intensity(np.random.default_rng(1), AugmentConfig(), image)).all()


def test_same_seed_same_patch():
    image = disk()[0]
    first, second = (change_intensity(np.random.default_rng(3), AugmentConfig(), image) for _ in range(2))
    np.testing.assert_array_equal(first, second)


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

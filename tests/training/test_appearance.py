"""Appearance changes: of the kind of image they are for, and none by default."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import AugmentConfig
from starpoly.errors import ConfigError
from starpoly.training.appearance import (
    change_appearance,
    change_dyes,
    changes_appearance,
    drop_channel,
    is_coloured,
    jpeg,
    uneven,
    with_distractors,
)


def nuclei() -> tuple[np.ndarray, np.ndarray]:
    """A grey image of two bright discs in three equal channels, and its labels."""
    y, x = np.mgrid[:64, :64]
    labels = (np.hypot(y - 20, x - 20) < 9).astype(np.int32) + 2 * (np.hypot(y - 45, x - 40) < 11).astype(np.int32)
    return np.repeat((labels > 0).astype(np.float32)[..., None], 3, axis=2), labels


def tissue() -> np.ndarray:
    """Violet nuclei on a bright ground."""
    image, _ = nuclei()
    return np.where(image > 0, np.float32([0.3, 0.1, 0.5]), np.float32(0.95)).astype(np.float32)


def test_defaults_change_nothing():
    assert not changes_appearance(AugmentConfig())
    image, labels = nuclei()
    np.testing.assert_array_equal(change_appearance(np.random.default_rng(0), AugmentConfig(), image, labels), image)


@pytest.mark.parametrize("name", ["stain", "shuffle", "drop", "grey", "distract", "sharpen", "shot", "light", "jpeg"])
def test_each_setting_changes_some_image_and_stays_finite(name):
    config = AugmentConfig(**{name: 1.0})
    assert changes_appearance(config)
    image, labels = nuclei()
    two_stains = image * np.float32([1, 0.3, 0])
    given = {"stain": tissue(), "shuffle": two_stains, "drop": two_stains, "grey": two_stains}.get(name, image)
    changed = [change_appearance(np.random.default_rng(seed), config, given, labels) for seed in range(8)]
    assert all(np.isfinite(each).all() and each.shape == given.shape for each in changed)
    assert any(not np.array_equal(each, given) for each in changed)


def test_same_seed_same_appearance():
    image, labels = nuclei()
    config = AugmentConfig(distract=1, light=0.3, shot=0.1, jpeg=0.5)
    first, second = (change_appearance(np.random.default_rng(2), config, image, labels, image) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("seed", range(10))
def test_distractors_leave_the_stain_whole_in_one_channel(seed):
    image, labels = nuclei()
    mixed = with_distractors(np.random.default_rng(seed), image, labels, image)
    assert any(np.array_equal(mixed[..., k], image[..., 0]) for k in range(3))


def test_the_strongest_channel_is_never_dropped():
    image = nuclei()[0] * np.float32([0.1, 1, 0.3])
    for seed in range(6):
        np.testing.assert_array_equal(drop_channel(np.random.default_rng(seed), image)[..., 1], image[..., 1])


def test_dyes_change_the_colour_and_not_the_white():
    image = tissue()
    changed = change_dyes(np.random.default_rng(1), image, 0.4)
    assert np.abs(changed - image)[30, 60].max() < 0.1  # the ground
    assert np.abs(changed - image)[20, 20].max() > 0.02  # a nucleus
    np.testing.assert_allclose(change_dyes(np.random.default_rng(1), image, 0.0), image, atol=1e-4)


def test_grey_is_not_coloured():
    image, labels = nuclei()
    assert not is_coloured(image)
    grey = change_appearance(np.random.default_rng(0), AugmentConfig(grey=1), tissue(), labels)
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


def test_uneven_light_is_a_positive_factor():
    for seed in range(12):
        field = uneven(np.random.default_rng(seed), (40, 50), 0.4)
        assert field.shape == (40, 50)
        assert field.min() > 0.3
        assert field.max() < 2.5


def test_jpeg_keeps_the_shape_and_roughly_the_pixels():
    image = (nuclei()[0] * 200).astype(np.float32)
    for given in (image, image[..., :1]):
        found = jpeg(given, 90)
        assert found.shape == given.shape
        assert np.abs(found - given).mean() < 5


def test_shares_are_checked():
    with pytest.raises(ConfigError, match="shuffle"):
        AugmentConfig(shuffle=1.5)
    with pytest.raises(ConfigError, match="stain"):
        AugmentConfig(stain=-1)

"""Rendered patches in training: their share, and that a batch is a function of seed and step."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig, NormalizationConfig, TrainingConfig
from starpoly.errors import ConfigError, StarpolyWarning
from starpoly.training.data import TrainingData, array_pairs
from starpoly.training.patches import PatchSampler
from starpoly.training.rendering.sampler import RenderedPatches, with_rendered
from starpoly.training.rendering.shapes.real import RealMasks

NETWORK = NetworkConfig(n_channels=3, n_rays=8, depth=1)
TRAINING = TrainingConfig(patch_size=(64, 48), batch_size=4, rendered=0.5)


def real_data() -> TrainingData:
    labels = np.zeros((70, 90), np.int32)
    labels[10:25, 10:25], labels[40:60, 50:62], labels[:5] = 1, 2, -1
    return TrainingData(array_pairs([100.0 * (labels > 0)], [labels]), n_channels=3)


def mixed(training: TrainingConfig = TRAINING):
    data = real_data()
    sampler = PatchSampler(data, np.array([6300]), NETWORK, training)
    return with_rendered(sampler, data, ModelSpec("x", NETWORK, 100.0), training)


def test_batch_is_a_function_of_seed_and_step():
    first, second = mixed(), mixed()
    for step in (4, 0):
        (x, y), (x2, y2) = first.batch(step), second.batch(step)
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y["distances"], y2["distances"])
        assert x.shape == (4, 64, 48, 3)
        assert np.isfinite(x).all()
    assert not np.array_equal(first.batch(0)[0], first.batch(1)[0])


def test_the_share_is_that_of_the_settings(monkeypatch):
    asked = []
    patches = RenderedPatches.patches
    monkeypatch.setattr(RenderedPatches, "patches", lambda self, rng, n: asked.append(n) or patches(self, rng, n))
    sampler = mixed(TRAINING.replace(rendered=0.3))
    for step in range(40):
        sampler.batch(step)
    assert sum(asked) / 160 == pytest.approx(0.3, abs=0.08)


def test_without_a_share_nothing_is_rendered():
    assert isinstance(mixed(TRAINING.replace(rendered=0.0)), PatchSampler)
    with pytest.raises(ConfigError, match="rendered"):
        TrainingConfig(rendered=1.5)


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_patches_have_the_channels_of_the_network_and_are_normalised(n_channels):
    still = TRAINING.augment.replace(gain=(1, 1), shift=0, gamma=(1, 1), blur=0, noise=0)
    source = RenderedPatches(TRAINING.replace(augment=still), n_channels, NormalizationConfig())
    for seed in range(12):
        ((image, labels, classes),) = source.patches(np.random.default_rng(seed), 1)
        assert image.shape == (64, 48, n_channels)
        assert labels.shape == (64, 48)
        assert classes is None
        assert np.percentile(image, 0.5) < 0.2
        assert image.max() <= 20


def test_real_masks_give_whole_objects_of_the_wanted_size():
    masks = RealMasks(real_data())
    areas = []
    for seed in range(20):
        labels = masks(np.random.default_rng(seed), (120, 120), 20.0)
        assert labels.min() >= 0
        assert labels.shape == (120, 120)
        areas += np.bincount(labels[labels > 0])[1:].tolist()
    diameters = np.sqrt(4 / np.pi * np.array([area for area in areas if area > 30]))
    assert len(diameters) > 20
    assert 14 < np.median(diameters) < 26


def test_masks_without_objects_give_an_empty_image():
    image = np.arange(400.0).reshape(20, 20)
    data = TrainingData(array_pairs([image], [np.zeros((20, 20), int)]))
    with pytest.warns(StarpolyWarning, match="no object"):
        assert not RealMasks(data)(np.random.default_rng(0), (30, 30), 10.0).any()

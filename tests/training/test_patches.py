"""Batches: a pure function of seed and step, packed as the losses unpack them."""

from __future__ import annotations

import numpy as np

from starpoly.config import AugmentConfig, NetworkConfig, TrainingConfig
from starpoly.training.data import TrainingData, array_pairs
from starpoly.training.patches import PatchSampler, stream, validation_batches

NETWORK = NetworkConfig(n_rays=8, depth=1)
TRAINING = TrainingConfig(patch_size=(32, 48), batch_size=3, validation_patches=6)


def data(n_classes: int = 0) -> tuple[TrainingData, np.ndarray]:
    rng = np.random.default_rng(0)
    masks = []
    for _ in range(3):
        labels = np.zeros((70, 60), np.int32)
        labels[20:40, 10:30] = 1
        labels[45:60, 33:50] = 2
        labels[:6] = -1
        masks.append(labels)
    images = [rng.normal(100 * (m > 0), 5) for m in masks]
    classes = [{1: 1, 2: 2}] * 3 if n_classes else None
    found = TrainingData(array_pairs(images, masks, classes), n_classes=n_classes)
    return found, np.array([m.size for m in masks])


def test_batch_is_a_function_of_seed_and_step():
    first, second = (PatchSampler(*data(), NETWORK, TRAINING) for _ in range(2))
    for step in (5, 0, 3):
        (x, y), (x2, y2) = first.batch(step), second.batch(step)
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y["distances"], y2["distances"])
    assert not np.array_equal(first.batch(0)[0], first.batch(1)[0])
    other = PatchSampler(*data(), NETWORK, TRAINING.replace(seed=1))
    assert not np.array_equal(first.batch(0)[0], other.batch(0)[0])


def test_stream_keeps_the_order_whatever_the_threads():
    sampler = PatchSampler(*data(), NETWORK, TRAINING)
    for workers in (1, 3):
        for step, (x, _) in enumerate(stream(sampler, 2, 9, workers), start=2):
            np.testing.assert_array_equal(x, sampler.batch(step)[0])
        assert step == 8


def test_shapes_and_packing():
    network = NETWORK.replace(n_classes=2)
    sampler = PatchSampler(*data(n_classes=2), network, TRAINING)
    x, y = sampler.batch(0)
    assert x.shape == (3, 32, 48, 1)
    assert y["probability"].shape == (3, 16, 24, 2)
    assert y["distances"].shape == (3, 16, 24, 8 + 2)
    assert y["classes"].shape == (3, 16, 24, 3 + 1)
    assert y["foreground"].shape == (3, 16, 24, 2 * 4)
    assert all(a.dtype == np.float32 for a in (x, *y.values()))
    # the distance target carries the probability that weighs it
    np.testing.assert_array_equal(y["distances"][..., 8], y["probability"][..., 0])


def test_every_patch_holds_an_object_when_asked_to():
    still = AugmentConfig(warp_probability=0)
    sampler = PatchSampler(*data(), NETWORK, TRAINING.replace(foreground=1.0, augment=still.to_dict()))
    for step in range(5):
        assert (sampler.batch(step)[1]["probability"][..., 0].max(axis=(1, 2)) > 0).all()


def test_validation_is_fixed():
    first, second = (validation_batches(data()[0], NETWORK, TRAINING) for _ in range(2))
    assert sum(len(x) for x, _ in first) == 6
    for (x, _), (x2, _) in zip(first, second, strict=True):
        np.testing.assert_array_equal(x, x2)


def test_images_smaller_than_a_patch_can_be_used():
    labels = np.zeros((20, 17), np.int32)
    labels[4:9, 4:9] = 1
    small = TrainingData(array_pairs([labels.astype(float)], [labels]))
    x, _ = PatchSampler(small, np.array([labels.size]), NETWORK, TRAINING).batch(0)
    assert x.shape == (3, 32, 48, 1)

"""Losses against numpy twins, and the laws that they keep."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.network.losses import class_loss, distance_loss, foreground_loss, probability_loss

import reference

N_RAYS, N_CLASSES = 8, 2
ONLY_MAE = {"mae_weight": 1.0, "iou_weight": 0.0, "background_weight": 0.0}
ONLY_IOU = {"mae_weight": 0.0, "iou_weight": 1.0, "background_weight": 0.0}
ONLY_BACKGROUND = {"mae_weight": 0.0, "iou_weight": 0.0, "background_weight": 1.0}
ALL_TERMS = {"mae_weight": 0.3, "iou_weight": 1.0, "background_weight": 0.1}


@pytest.fixture
def random():
    return np.random.default_rng(5)


def weights(random):
    return (random.random((2, 4, 5, 1)) < 0.7).astype(np.float32)


def probability_target(random):
    probability = np.maximum(random.random((2, 4, 5, 1)) - 0.4, 0)
    return np.concatenate([probability, weights(random)], axis=-1).astype(np.float32)


def distance_target(random):
    distances = random.random((2, 4, 5, N_RAYS)) * 20
    return np.concatenate([distances, probability_target(random)], axis=-1).astype(np.float32)


def class_target(random):
    """One-hot, with pixels of unknown class (all zero)."""
    classes = np.eye(N_CLASSES + 2)[random.integers(0, N_CLASSES + 2, (2, 4, 5))][..., : N_CLASSES + 1]
    return np.concatenate([classes, weights(random)], axis=-1).astype(np.float32)


def foreground_target(random):
    """Four pixels to a grid cell."""
    both = [random.random((2, 4, 5, 4)) < 0.4, random.integers(0, 5, (2, 4, 5, 4))]
    return np.concatenate(both, axis=-1).astype(np.float32)


def class_probabilities(random):
    raw = random.random((2, 4, 5, N_CLASSES + 1)).astype(np.float32)
    return raw / raw.sum(axis=-1, keepdims=True)


def test_probability_loss_equals_its_twin(random):
    target, predicted = probability_target(random), random.random((2, 4, 5, 1)).astype(np.float32)
    assert float(probability_loss(target, predicted)) == pytest.approx(
        reference.probability_loss(target, predicted), rel=1e-4
    )


@pytest.mark.parametrize("terms", [ONLY_MAE, ONLY_IOU, ONLY_BACKGROUND, ALL_TERMS])
def test_distance_loss_equals_its_twin(random, terms):
    target = distance_target(random)
    predicted = (random.random((2, 4, 5, N_RAYS)) * 22 - 2).astype(np.float32)
    loss = float(distance_loss(N_RAYS, **terms, scale=8.0)(target, predicted))
    assert loss == pytest.approx(reference.distance_loss(target, predicted, **terms, scale=8.0), rel=1e-4)


def test_class_loss_equals_its_twin(random):
    target, predicted, factors = class_target(random), class_probabilities(random), (0.5, 1.0, 2.0)
    assert float(class_loss(factors)(target, predicted)) == pytest.approx(
        reference.class_loss(target, predicted, factors), rel=1e-4
    )


def test_foreground_loss_equals_its_twin(random):
    target, predicted = foreground_target(random), random.uniform(0.01, 0.99, (2, 4, 5, 4)).astype(np.float32)
    assert float(foreground_loss(2.5)(target, predicted)) == pytest.approx(
        reference.foreground_loss(target, predicted, 2.5), rel=1e-4
    )


def test_ignored_pixels_have_no_influence(random):
    cases = [
        (probability_loss, probability_target(random), random.random((2, 4, 5, 1))),
        (distance_loss(N_RAYS, **ALL_TERMS, scale=8.0), distance_target(random), random.random((2, 4, 5, N_RAYS))),
        (class_loss((1.0,) * (N_CLASSES + 1)), class_target(random), class_probabilities(random)),
    ]
    for loss, target, predicted in cases:
        ignored = target[..., -1:] == 0
        assert ignored.any()
        changed = np.where(ignored, 0.9 - 0.5 * predicted, predicted)
        assert float(loss(target, predicted.astype(np.float32))) == float(loss(target, changed.astype(np.float32)))


def test_all_ignored_is_no_loss(random):
    target = distance_target(random)
    target[..., -1] = 0
    predicted = random.random((2, 4, 5, N_RAYS)).astype(np.float32)
    assert float(distance_loss(N_RAYS, **ALL_TERMS, scale=8.0)(target, predicted)) == 0


@pytest.mark.parametrize("terms", [ONLY_MAE, ONLY_IOU])
def test_equal_distances_cost_nothing(random, terms):
    target = distance_target(random)
    loss = float(distance_loss(N_RAYS, **terms, scale=8.0)(target, target[..., :N_RAYS].copy()))
    assert loss == pytest.approx(0, abs=1e-6)


def test_larger_objects_cost_more_in_pixels_and_alike_in_overlap(random):
    target = distance_target(random)
    predicted = (random.random((2, 4, 5, N_RAYS)) * 20).astype(np.float32)
    scaled = target.copy()
    scaled[..., :N_RAYS] *= 3
    for terms, factor in ((ONLY_MAE, 3), (ONLY_IOU, 1)):
        loss = distance_loss(N_RAYS, **terms, scale=8.0)
        assert float(loss(scaled, 3 * predicted)) == pytest.approx(factor * float(loss(target, predicted)), rel=1e-4)


def test_overlap_loss_of_concentric_circles():
    """Radii 3 and 6: the areas are as 1 to 4."""
    target = np.ones((1, 1, 1, N_RAYS + 2), np.float32)
    target[..., :N_RAYS] = 6
    predicted = np.full((1, 1, 1, N_RAYS), 3, np.float32)
    assert float(distance_loss(N_RAYS, **ONLY_IOU, scale=1.0)(target, predicted)) == pytest.approx(0.75, rel=1e-4)

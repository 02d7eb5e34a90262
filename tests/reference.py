"""Slow, obviously right twins of what the package computes; used by the tests alone."""

from __future__ import annotations

import numpy as np

# --- network/losses -------------------------------------------------------------------------------


def _mean_over(values: list[float], weights: list[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / (sum(weights) + 1e-6)


def probability_loss(target: np.ndarray, predicted: np.ndarray) -> float:
    """Cross-entropy pixel by pixel; target ``[probability, weight]``."""
    values, weights = [], []
    for (probability, weight), (guess,) in zip(target.reshape(-1, 2), predicted.reshape(-1, 1), strict=True):
        values.append(-probability * np.log(guess) - (1 - probability) * np.log(1 - guess))
        weights.append(weight)
    return _mean_over(values, weights)


def distance_loss(
    target: np.ndarray,
    predicted: np.ndarray,
    *,
    mae_weight: float,
    iou_weight: float,
    background_weight: float,
    scale: float,
) -> float:
    """Pixel by pixel; target ``[distances ..., probability, weight]``."""
    n_rays = predicted.shape[-1]
    errors, misses, strays, inside, outside = [], [], [], [], []
    for truth, guess in zip(target.reshape(-1, n_rays + 2), predicted.reshape(-1, n_rays), strict=True):
        distances, probability, weight = truth[:n_rays], truth[n_rays], truth[n_rays + 1]
        positive = [max(d, 0.0) for d in guess]
        common = sum(min(a, b) ** 2 for a, b in zip(distances, positive, strict=True))
        either = sum(max(a, b) ** 2 for a, b in zip(distances, positive, strict=True))
        errors.append(sum(abs(a - b) for a, b in zip(distances, guess, strict=True)) / n_rays / scale)
        misses.append(1 - common / either)
        strays.append(sum(abs(d) for d in guess) / n_rays / scale)
        inside.append(probability * weight)
        outside.append(weight if probability <= 0 else 0.0)
    return (
        mae_weight * _mean_over(errors, inside)
        + iou_weight * _mean_over(misses, inside)
        + background_weight * _mean_over(strays, outside)
    )


def class_loss(target: np.ndarray, predicted: np.ndarray, class_weights: tuple[float, ...]) -> float:
    """Pixel by pixel; target ``[one-hot ..., weight]``, all zero where the class is unknown."""
    n = len(class_weights)
    values, weights = [], []
    for truth, guess in zip(target.reshape(-1, n + 1), predicted.reshape(-1, n), strict=True):
        if truth[:n].any():
            kind = int(truth[:n].argmax())
            values.append(-class_weights[kind] * np.log(guess[kind]))
            weights.append(truth[n])
    return _mean_over(values, weights)


# --- end of network/losses ------------------------------------------------------------------------

"""Training losses on the grid, written with Keras operations only.

Each target pixel has a weight, 0 where the label image says "ignore". Keras passes one array to a loss, so targets are
packed along the last axis: probability ``[probability, weight]``, distances ``[distances ..., probability, weight]``,
classes ``[one-hot classes ..., weight]``, foreground ``[foreground ..., weights ...]`` with one entry of each per pixel
of a grid cell.
"""

from __future__ import annotations

from collections.abc import Callable

from keras import KerasTensor, ops

Loss = Callable[[KerasTensor, KerasTensor], KerasTensor]
_EPSILON = 1e-6


def _weighted_mean(values: KerasTensor, weights: KerasTensor) -> KerasTensor:
    return ops.sum(values * weights) / (ops.sum(weights) + _EPSILON)


def probability_loss(target: KerasTensor, predicted: KerasTensor) -> KerasTensor:
    """Binary cross-entropy of the object probability, mean over pixels not ignored.

    ``target`` (batch, h, w, 2): probability and weight; ``predicted`` (batch, h, w, 1).
    """
    probability, weight = target[..., :1], target[..., 1:]
    entropy = ops.binary_crossentropy(probability, ops.clip(predicted, _EPSILON, 1 - _EPSILON))
    return _weighted_mean(entropy, weight)


def foreground_loss(factor: float) -> Loss:
    """``factor`` times the binary cross-entropy of the foreground, weighted mean over pixels.

    ``target`` (batch, h, w, 2 n): foreground and weight of the n pixels of a grid cell; ``predicted`` (batch, h, w, n).
    """

    def loss(target: KerasTensor, predicted: KerasTensor) -> KerasTensor:
        foreground, weight = ops.split(target, 2, axis=-1)
        entropy = ops.binary_crossentropy(foreground, ops.clip(predicted, _EPSILON, 1 - _EPSILON))
        return factor * _weighted_mean(entropy, weight)

    loss.__name__ = "foreground_loss"
    return loss


def distance_loss(n_rays: int, *, mae_weight: float, iou_weight: float, background_weight: float, scale: float) -> Loss:
    """Loss of the ray distances, weighted by the target probability.

    The sum of three terms: the mean absolute error in units of ``scale`` pixels (Schmidt et al.
    2018); ``1 - IoU`` of the predicted and the true polygon about the same pixel, where
    ``IoU = sum min(d, d')^2 / sum max(d, d')^2`` over rays, the ratio of areas for equal angles
    (after PolarMask, Xie et al. 2020, there with first powers); and a small pull of background
    distances to zero.

    Parameters
    ----------
    n_rays : int
        Number of rays.
    mae_weight, iou_weight, background_weight : float
        Factors of the three terms.
    scale : float
        Unit of the absolute terms, in pixels.
    """

    def loss(target: KerasTensor, predicted: KerasTensor) -> KerasTensor:
        distances = target[..., :n_rays]
        probability, weight = target[..., n_rays : n_rays + 1], target[..., n_rays + 1 :]
        inside = probability * weight
        outside = ops.cast(probability <= 0, "float32") * weight
        error = ops.mean(ops.abs(distances - predicted), axis=-1, keepdims=True) / scale
        smaller = ops.maximum(ops.minimum(distances, predicted), 0.0)
        larger = ops.maximum(ops.maximum(distances, predicted), 0.0)
        intersection = ops.sum(smaller * smaller, axis=-1, keepdims=True)
        union = ops.sum(larger * larger, axis=-1, keepdims=True)
        iou = (intersection + _EPSILON) / (union + _EPSILON)
        stray = ops.mean(ops.abs(predicted), axis=-1, keepdims=True) / scale
        return (
            mae_weight * _weighted_mean(error, inside)
            + iou_weight * _weighted_mean(1 - iou, inside)
            + background_weight * _weighted_mean(stray, outside)
        )

    loss.__name__ = "distance_loss"
    return loss


def class_loss(class_weights: tuple[float, ...]) -> Loss:
    """Categorical cross-entropy of the class probabilities, background included.

    ``target`` (batch, h, w, n_classes + 2): one-hot classes (all zero where the class is unknown)
    and weight; ``predicted`` (batch, h, w, n_classes + 1). ``class_weights`` has one factor per
    class, background first.
    """

    def loss(target: KerasTensor, predicted: KerasTensor) -> KerasTensor:
        truth, weight = target[..., :-1], target[..., -1]
        weighted = truth * ops.convert_to_tensor(class_weights, "float32")
        entropy = -ops.sum(weighted * ops.log(ops.clip(predicted, _EPSILON, 1.0)), axis=-1)
        known = ops.cast(ops.sum(truth, axis=-1) > 0, "float32")
        return _weighted_mean(entropy, weight * known)

    loss.__name__ = "class_loss"
    return loss

"""Initialise a network with the weights of a similar one."""

from __future__ import annotations

import keras
import numpy as np


def transfer_weights(source: keras.Model, target: keras.Model) -> list[str]:
    """Copy matching weights from ``source`` to ``target``, by layer name.

    Weights of the same shape are copied. From one input channel to several, the kernel is divided evenly among them; from
    several to one, kernels are summed. Both keep the output for an image of equal channels. All other weights stay
    fresh.

    Parameters
    ----------
    source, target : keras.Model
        Networks with named layers.

    Returns
    -------
    list of str
        Layers of ``target`` with some or all weights fresh.
    """
    known = {layer.name: layer for layer in source.layers}
    fresh = []
    for layer in target.layers:
        if not layer.weights:
            continue
        old = known[layer.name].get_weights() if layer.name in known else []
        new = layer.get_weights()
        taken = [_fitted(a, b) for a, b in zip(old, new, strict=False)] if len(old) == len(new) else [None] * len(new)
        layer.set_weights([b if a is None else a for a, b in zip(taken, new, strict=True)])
        if any(a is None for a in taken):
            fresh.append(layer.name)
    return fresh


def _fitted(old: np.ndarray, new: np.ndarray) -> np.ndarray | None:
    """``old`` in the shape of ``new``, or None if they do not fit."""
    if old.shape == new.shape:
        return old
    same_but_input = old.ndim == new.ndim == 4 and old.shape[:2] == new.shape[:2] and old.shape[3] == new.shape[3]
    if same_but_input and old.shape[2] == 1:
        return np.repeat(old, new.shape[2], axis=2) / new.shape[2]
    if same_but_input and new.shape[2] == 1:
        return old.sum(axis=2, keepdims=True)
    return None

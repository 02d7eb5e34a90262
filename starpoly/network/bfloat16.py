"""The same network with its convolutions in bfloat16; the heads stay in float32.

Batch normalisation is folded into the convolution before it; on its own it would cost more than bfloat16 saves there.
Heads stay in float32, as bfloat16 would round distances to half a pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import NetworkConfig
from .architectures.registry import ARCHITECTURES, build_network

if TYPE_CHECKING:
    import keras

_POLICY = "mixed_bfloat16"


def in_bfloat16(network: NetworkConfig, model: keras.Model) -> keras.Model:
    """A copy that computes in bfloat16, for prediction only.

    Parameters
    ----------
    network : NetworkConfig
    model : keras.Model
        The network; it stays as it is.

    Returns
    -------
    keras.Model
        Takes and returns float32, as ``model`` does.
    """
    architecture = ARCHITECTURES[network.architecture]
    if architecture.without_normalization is None:
        copy = build_network(network, _POLICY)
        copy.set_weights(model.get_weights())
        return copy
    copy = build_network(architecture.without_normalization(network), _POLICY)
    norms = {layer.name: layer for layer in model.layers if layer.name.endswith("_norm")}
    for layer in copy.layers:
        if layer.weights:
            weights = model.get_layer(layer.name).get_weights()
            norm = norms.get(f"{layer.name}_norm")
            layer.set_weights(weights if norm is None else _fold(weights[0], norm))
    return copy


def _fold(kernel: np.ndarray, norm: Any) -> list[np.ndarray]:
    """Kernel and bias of a convolution equal to ``kernel`` and the normalisation after it."""
    gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * scale, beta - mean * scale]

"""Convert a network to bfloat16 convolutions; heads stay in float32.

Batch normalisation is folded into the preceding convolution: separate layers would cost more than bfloat16 saves. Heads
stay in float32: bfloat16 would round distances to half a pixel.
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
    """Copy a network for prediction in bfloat16.

    Parameters
    ----------
    network : NetworkConfig
    model : keras.Model
        The network, not modified.

    Returns
    -------
    keras.Model
        Takes and returns float32, like ``model``.
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
            depthwise = type(layer).__name__ == "DepthwiseConv2D"
            layer.set_weights(weights if norm is None else _fold(weights[0], norm, depthwise=depthwise))
    return copy


def _fold(kernel: np.ndarray, norm: Any, *, depthwise: bool = False) -> list[np.ndarray]:
    """Kernel and bias of a convolution with the following normalisation folded in.

    The kernel's last axis are its outputs; depthwise, one per input and so along the axis before.
    """
    gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * (scale[:, None] if depthwise else scale), beta - mean * scale]

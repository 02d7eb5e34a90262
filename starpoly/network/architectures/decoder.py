"""Decoder that narrows before it upsamples, where a convolution costs a quarter; shared by architectures.

References
----------
Ronneberger et al., U-Net, MICCAI 2015 (skip connections).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...config import NetworkConfig
from .plan import convolution_weights, with_bias
from .unet import convolution, filters_of_level

if TYPE_CHECKING:
    import keras


def decode(
    x: keras.KerasTensor, skips: Sequence[keras.KerasTensor], convolutions: Sequence[int], config: NetworkConfig
) -> keras.KerasTensor:
    """A convolution at the bottom, then upsample with skip connections to the first level.

    Parameters
    ----------
    x : KerasTensor
        Features at the bottom, at half the resolution of the last level.
    skips : sequence of KerasTensor
        Features of each level, finest first.
    convolutions : sequence of int
        Convolutions at each level, finest first.
    config : NetworkConfig
        Widths, and the kind of convolution.
    """
    from keras import layers

    x = convolution(x, filters_of_level(config, len(skips)), "bottom", config)
    for level in reversed(range(len(skips))):
        filters = filters_of_level(config, level)
        x = layers.Conv2D(filters, 1, padding="same", name=f"up_{level}_narrow")(x)
        x = layers.UpSampling2D(2, name=f"up_{level}_upsample")(x)
        x = layers.Concatenate(name=f"up_{level}_join")([x, skips[level]])
        for index in range(convolutions[level]):
            x = convolution(x, filters, f"up_{level}_{index}", config)
    return x


class DecoderPlan(NamedTuple):
    """What :func:`decode` will be: number of weights, filters of its result, reach in positions of the first level."""

    n_weights: int
    filters: int
    reach: int


def plan_decoder(before: int, skips: Sequence[int], convolutions: Sequence[int], config: NetworkConfig) -> DecoderPlan:
    """Plan of a decoder on ``before`` filters at the bottom, with skip connections of so many filters."""
    filters = filters_of_level(config, len(skips))
    n_weights, passes = convolution_weights(config, before, filters), 2 ** len(skips)
    for level in reversed(range(len(skips))):
        before, filters = filters, filters_of_level(config, level)
        n_weights += with_bias(before, filters) + convolution_weights(config, filters + skips[level], filters)
        n_weights += (convolutions[level] - 1) * convolution_weights(config, filters, filters)
        passes += convolutions[level] * 2**level
    return DecoderPlan(n_weights, filters, (config.kernel_size - 1) * passes)

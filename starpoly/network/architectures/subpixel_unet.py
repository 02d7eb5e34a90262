"""U-Net on cells of twice the grid, whose last layer is a sub-pixel convolution: little is computed at full resolution.

On CPUs, convolutions of few channels on many pixels reach half the speed of those of many channels on few. Here the finest
level has a quarter of the positions of the usual one. The decoder is light, too.

References
----------
Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural network,
CVPR 2016. He et al., Deep residual learning, CVPR 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...config import NetworkConfig
from .architecture import Architecture, grid_bytes_per_pixel
from .decoder import decode, plan_decoder
from .plan import NetworkPlan, head_weights, with_bias
from .unet import build_heads, encode, filters_of_level, plan_encoder

if TYPE_CHECKING:
    import keras

_FINER = 2
"""Outputs per cell, along y and x."""


def build_subpixel_unet(config: NetworkConfig) -> keras.Model:
    """Build the network with fresh weights.

    Parameters
    ----------
    config : NetworkConfig
        ``depth`` levels lie below twice the grid; ``base_filters`` are those of the first one, and of the outputs' features.
        ``stem`` is not used.

    Returns
    -------
    keras.Model
        Inputs and outputs as :func:`starpoly.network.architectures.unet.build_unet`; height and width are multiples of
        ``2 * grid * 2**depth``.
    """
    import keras
    from keras import layers

    from .subpixel import SubpixelConvolution

    image = keras.Input((None, None, config.n_channels), name="image")
    cell = _cell(config)
    x = layers.Conv2D(config.base_filters, _kernel(config), strides=cell, padding="same", name="stem_patch")(image)
    x, skips = encode(x, config)
    x = decode(x, skips, _convolutions(config), config)
    # each position becomes 2 x 2: no normalisation, which would have to know about the four
    decoded = SubpixelConvolution(config.base_filters, _FINER, activation=config.activation, name="subpixel")(x)
    return keras.Model(image, build_heads(decoded, config), name="starpoly_subpixel_unet")


def _cell(config: NetworkConfig) -> tuple[int, int]:
    return config.grid[0] * _FINER, config.grid[1] * _FINER


def _kernel(config: NetworkConfig) -> tuple[int, int]:
    """The cell and half a cell around it."""
    return 2 * _cell(config)[0], 2 * _cell(config)[1]


def _convolutions(config: NetworkConfig) -> list[int]:
    """Per level of the decoder: only the finest, which draws the outlines, has as many as the encoder."""
    return [config.convolutions_per_level] + [1] * (config.depth - 1)


def plan_subpixel_unet(config: NetworkConfig) -> NetworkPlan:
    """What the config implies, see :class:`starpoly.network.architectures.plan.NetworkPlan`."""
    kernel, cell = _kernel(config), _cell(config)
    encoder = plan_encoder(config.base_filters, config)
    skips = [filters_of_level(config, level) for level in range(config.depth)]
    decoder = plan_decoder(skips[-1], skips, _convolutions(config), config)
    n_weights = with_bias(config.n_channels, config.base_filters, kernel) + encoder.n_weights + decoder.n_weights
    n_weights += with_bias(decoder.filters, config.base_filters, (_FINER, _FINER))
    heads = (config.kernel_size - 1) * bool(config.head_filters)
    extent = [
        side - 1 + (encoder.reach + decoder.reach) * spacing + heads * step
        for side, spacing, step in zip(kernel, cell, config.grid, strict=True)
    ]
    return NetworkPlan(
        n_weights + head_weights(config, config.base_filters),
        (cell[0] * 2**config.depth, cell[1] * 2**config.depth),
        config.grid,
        (extent[0], extent[1]),
    )


def bytes_per_pixel(config: NetworkConfig, precision: str) -> float:
    """Memory per pixel of a window, in bytes: what the network takes, and as much again for the window before and after it.

    It is 207 with 32 filters, 32 rays and three channels; seen were 92 for the network alone and 150 to 200 in a run.
    """
    return grid_bytes_per_pixel(config.base_filters / (config.grid[0] * config.grid[1]) / _FINER, config, precision)


SUBPIXEL_UNET = Architecture(
    config=NetworkConfig,
    plan=plan_subpixel_unet,
    build=build_subpixel_unet,
    bytes_per_pixel=bytes_per_pixel,
    without_normalization=lambda config: config.replace(normalization="none"),
)

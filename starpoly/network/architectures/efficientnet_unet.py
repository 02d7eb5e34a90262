"""U-Net whose encoder is that of EfficientNet-Lite0, which can start from ImageNet weights.

The encoder ends at stride 16, after the first of the three wide blocks there: the next ones would widen the receptive
field by 64 pixels each. Layer names are those of the weights file.

References
----------
Tan & Le, EfficientNet, ICML 2019; the Lite variant has no squeeze-and-excitation and ReLU6 in place of swish.
Sandler et al., MobileNetV2, CVPR 2018 (inverted residual blocks).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...config import NetworkConfig
from ...errors import ConfigError, ModelError
from ...model_zoo import pretrained_encoder
from .architecture import ALIVE, Architecture, grid_bytes_per_pixel
from .decoder import decode, plan_decoder
from .plan import NetworkPlan, head_weights
from .unet import build_heads

if TYPE_CHECKING:
    import keras

#: Weights file of the encoder, in the folder of the shipped models.
ENCODER = "efficientnet-lite0"
_STEM = 32
_EPSILON = 1e-3
_DEPTH = 3


class Block(NamedTuple):
    """Inverted residual block: expansion, kernel, stride, filters."""

    expansion: int
    kernel: int
    stride: int
    filters: int


BLOCKS = (
    Block(1, 3, 1, 16),
    Block(6, 3, 2, 24), Block(6, 3, 1, 24),
    Block(6, 5, 2, 40), Block(6, 5, 1, 40),
    Block(6, 3, 2, 80), Block(6, 3, 1, 80), Block(6, 3, 1, 80),
    Block(6, 5, 1, 112),
)  # fmt: skip
"""From stride 2 to stride 16."""


def build_efficientnet_unet(config: NetworkConfig) -> keras.Model:
    """Build the network with fresh weights.

    Parameters
    ----------
    config : NetworkConfig
        ``n_channels`` is 3, ``grid`` (2, 2), ``depth`` 3. ``base_filters``, doubled per level up to ``max_filters``, are
        the widths of the decoder.

    Returns
    -------
    keras.Model
        Inputs and outputs as :func:`starpoly.network.architectures.unet.build_unet`.

    Raises
    ------
    ConfigError
        For other channels, grid or depth.
    """
    import keras

    if (config.n_channels, config.grid, config.depth) != (3, (2, 2), _DEPTH):
        raise ConfigError(
            "efficientnet_unet: expected n_channels 3, grid (2, 2) and depth 3, got "
            f"{config.n_channels}, {config.grid} and {config.depth}"
        )
    image = keras.Input((None, None, 3), name="image")
    *skips, x = _encode(image, config)
    decoded = decode(x, skips, _convolutions(config), config)
    return keras.Model(image, build_heads(decoded, config), name="starpoly_efficientnet_unet")


def _encode(image: keras.KerasTensor, config: NetworkConfig) -> list[keras.KerasTensor]:
    """Features at strides 2, 4, 8 and 16."""
    from keras import layers

    # ImageNet's range, -1 to 1, from normalised intensities
    x = layers.Rescaling(2.0, -1.0, name="imagenet_range")(image)
    x = layers.Conv2D(_STEM, 3, strides=2, padding="same", use_bias=_biased(config), name="stem")(x)
    x = _activated(x, "stem", config)
    edges = x
    seen: list[keras.KerasTensor] = []
    for index, block in enumerate(BLOCKS):
        if block.stride == 2:
            # outlines need the first layer's sharp edges, too
            seen.append(x if seen else layers.Concatenate(name="stem_join")([edges, x]))
        x = _block(x, block, f"block_{index}", config)
    return [*seen, x]


def _block(x: keras.KerasTensor, block: Block, name: str, config: NetworkConfig) -> keras.KerasTensor:
    from keras import layers

    from .depthwise_convolution import DepthwiseConv2D

    before, biased = x, _biased(config)
    if block.expansion > 1:
        width = block.expansion * x.shape[-1]
        x = layers.Conv2D(width, 1, padding="same", use_bias=biased, name=f"{name}_expand")(x)
        x = _activated(x, f"{name}_expand", config)
    x = DepthwiseConv2D(block.kernel, strides=block.stride, padding="same", use_bias=biased, name=f"{name}_depthwise")(
        x
    )
    x = _activated(x, f"{name}_depthwise", config)
    x = layers.Conv2D(block.filters, 1, padding="same", use_bias=biased, name=f"{name}_project")(x)
    x = _normalized(x, f"{name}_project", config)
    if block.stride == 1 and before.shape[-1] == block.filters:
        x = layers.Add(name=f"{name}_add")([x, before])
    return x


def _biased(config: NetworkConfig) -> bool:
    return config.normalization != "batch"


def _normalized(x: keras.KerasTensor, name: str, config: NetworkConfig) -> keras.KerasTensor:
    from .batch_normalization import BatchNormalization

    if config.normalization != "batch":
        return x
    return BatchNormalization(momentum=0.98, epsilon=_EPSILON, name=f"{name}_norm")(x)


def _activated(x: keras.KerasTensor, name: str, config: NetworkConfig) -> keras.KerasTensor:
    from keras import layers

    return layers.ReLU(6.0, name=f"{name}_activation")(_normalized(x, name, config))


def _convolutions(config: NetworkConfig) -> list[int]:
    return [config.convolutions_per_level] * _DEPTH


def start_from_imagenet(model: keras.Model) -> None:
    """Give the encoder of a fresh network the weights of EfficientNet-Lite0, trained on ImageNet.

    Raises
    ------
    ModelError
        If the weights do not ship with this installation or do not fit.
    """
    import h5py

    from ..storage.safe_files import read_floats

    path = pretrained_encoder(ENCODER)
    try:
        with h5py.File(path, "r") as file:
            for layer in model.layers:
                names = [f"{layer.name}.{weight.name}" for weight in layer.weights]
                if names and all(name in file for name in names):
                    shapes = [tuple(weight.shape) for weight in layer.weights]
                    layer.set_weights(
                        [read_floats(file, name, shape, path) for name, shape in zip(names, shapes, strict=True)]
                    )
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as HDF5 weights ({error})") from error


def plan_efficientnet_unet(config: NetworkConfig) -> NetworkPlan:
    """What the config implies, see :class:`starpoly.network.architectures.plan.NetworkPlan`."""
    per_filter = 1 if _biased(config) else 4
    n_weights, spacing, before, extent = (9 * 3 + per_filter) * _STEM, 2, _STEM, 2
    widths: list[int] = []
    for block in BLOCKS:
        if block.stride == 2:
            widths.append(before if widths else _STEM + before)
        wide = block.expansion * before
        n_weights += (before + per_filter) * wide if block.expansion > 1 else 0
        n_weights += (block.kernel**2 + per_filter) * wide + (wide + per_filter) * block.filters
        extent += (block.kernel - 1) * spacing
        spacing, before = spacing * block.stride, block.filters
    decoder = plan_decoder(before, widths, _convolutions(config), config)
    extent += 2 * decoder.reach
    extent += 2 * (config.kernel_size - 1) * bool(config.head_filters)
    n_weights += decoder.n_weights + head_weights(config, decoder.filters)
    return NetworkPlan(n_weights, (16, 16), config.grid, (extent, extent))


def bytes_per_pixel(config: NetworkConfig, precision: str) -> float:
    """Memory per pixel of a window, in bytes."""
    # most channels at stride 2 are alive in the second block: its input, the skip connection, the input expanded, and that
    # at stride 4; once, where those of the decoder's first level are alive several times
    expanded, before = BLOCKS[1].expansion * BLOCKS[0].filters, BLOCKS[0].filters
    alive = before + (_STEM + before) + expanded + expanded / 4
    return grid_bytes_per_pixel(max(alive / ALIVE, config.base_filters) / 4, config, precision)


EFFICIENTNET_UNET = Architecture(
    config=NetworkConfig,
    plan=plan_efficientnet_unet,
    build=build_efficientnet_unet,
    bytes_per_pixel=bytes_per_pixel,
    without_normalization=lambda config: config.replace(normalization="none"),
    pretrain=start_from_imagenet,
)

"""U-Net that maps an image to probability, ray distances and optional class probabilities on the grid.

Every layer has a name. The model uses only Keras operations, so it trains and runs under any Keras backend.

References
----------
Ronneberger et al., U-Net, MICCAI 2015; Schmidt et al., Cell detection with star-convex polygons,
MICCAI 2018 (the heads); Weigert & Schmidt, ISBIC 2022 (the class head).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...config import NetworkConfig
from ..heads.head import Features
from ..heads.registry import heads_of
from .architecture import Architecture, grid_bytes_per_pixel
from .plan import NetworkPlan, convolution_weights, head_weights, with_bias

if TYPE_CHECKING:
    import keras


def build_unet(config: NetworkConfig) -> keras.Model:
    """Build the network with fresh weights.

    Parameters
    ----------
    config : NetworkConfig
        Shape of the network.

    Returns
    -------
    keras.Model
        Takes float32 (batch, height, width, n_channels), height and width multiples of
        the stride, ``grid * 2**depth``. Returns a dict of float32 arrays on the grid: ``probability``
        (batch, h, w, 1), ``distances`` (batch, h, w, n_rays) in full-resolution pixels and, with
        classes, ``classes`` (batch, h, w, n_classes + 1), background first. With ``foreground_filters``,
        ``foreground`` (batch, h, w, grid_y * grid_x): foreground probability of each pixel of a grid cell, row by row.
    """
    import keras

    image = keras.Input((None, None, config.n_channels), name="image")
    decoded = _encode_decode(_stem(image, config), config)
    return keras.Model(image, build_heads(decoded, config), name="starpoly_unet")


def build_heads(decoded: keras.KerasTensor, config: NetworkConfig) -> dict[str, keras.KerasTensor]:
    """Outputs by name, upon features on the grid."""
    shared = convolution(decoded, config.head_filters, "features", config) if config.head_filters else decoded
    features = Features(decoded, shared)
    return {head.name: head.build(features, config) for head in heads_of(config)}


def filters_of_level(config: NetworkConfig, level: int) -> int:
    """Filters of the U's level, 0 the finest."""
    return min(config.base_filters * 2**level, config.max_filters)


def _stem(x: keras.KerasTensor, config: NetworkConfig) -> keras.KerasTensor:
    """From full resolution to the grid."""
    from keras import layers

    if config.stem == "patch":
        # the kernel covers the grid cell and half a cell around it
        kernel = tuple(2 * step if step > 1 else config.kernel_size for step in config.grid)
        return layers.Conv2D(config.base_filters, kernel, strides=config.grid, padding="same", name="stem_patch")(x)
    step = [1, 1]
    while tuple(step) != config.grid:
        pool = [2 if have < want else 1 for have, want in zip(step, config.grid, strict=True)]
        x = _level(x, config.base_filters, f"stem_{step[0]}_{step[1]}", config)
        x = layers.MaxPooling2D(pool, name=f"stem_{step[0]}_{step[1]}_pool")(x)
        step = [have * factor for have, factor in zip(step, pool, strict=True)]
    return x


def encode(x: keras.KerasTensor, config: NetworkConfig) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Pool ``depth`` times: the features below, and those of each level."""
    from keras import layers

    seen = []
    for level in range(config.depth):
        x = _level(x, filters_of_level(config, level), f"down_{level}", config)
        seen.append(x)
        x = layers.MaxPooling2D(2, name=f"down_{level}_pool")(x)
    return x, seen


def _encode_decode(x: keras.KerasTensor, config: NetworkConfig) -> keras.KerasTensor:
    """The U: pool ``depth`` times, then upsample with skip connections."""
    from keras import layers

    x, seen = encode(x, config)
    x = _level(x, filters_of_level(config, config.depth), "bottom", config)
    for level in reversed(range(config.depth)):
        x = layers.UpSampling2D(2, name=f"up_{level}_upsample")(x)
        x = layers.Concatenate(name=f"up_{level}_join")([x, seen.pop()])
        x = _level(x, filters_of_level(config, level), f"up_{level}", config)
    return x


def _level(x: keras.KerasTensor, filters: int, name: str, config: NetworkConfig) -> keras.KerasTensor:
    """Convolutions of one resolution level, with a shortcut if residual."""
    from keras import layers

    shortcut = x
    for index in range(config.convolutions_per_level):
        last = index == config.convolutions_per_level - 1
        x = convolution(x, filters, f"{name}_{index}", config, activate=not (last and config.residual))
    if not config.residual:
        return x
    if shortcut.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, padding="same", name=f"{name}_shortcut")(shortcut)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.Activation(config.activation, name=f"{name}_activation")(x)


def convolution(
    x: keras.KerasTensor, filters: int, name: str, config: NetworkConfig, *, activate: bool = True
) -> keras.KerasTensor:
    """Convolution ``name``, normalisation ``name_norm``, activation."""
    from keras import layers

    from .batch_normalization import BatchNormalization

    normalized = config.normalization == "batch"
    x = layers.Conv2D(filters, config.kernel_size, padding="same", use_bias=not normalized, name=name)(x)
    if normalized:
        x = BatchNormalization(momentum=0.98, name=f"{name}_norm")(x)
    return layers.Activation(config.activation, name=f"{name}_activation")(x) if activate else x


def plan_unet(config: NetworkConfig) -> NetworkPlan:
    """What the config implies, see :class:`starpoly.network.architectures.plan.NetworkPlan`."""
    stem, extent = _plan_stem(config)
    decoded = filters_of_level(config, 0)
    encoder = plan_encoder(config.base_filters if stem else config.n_channels, config)
    bottom = filters_of_level(config, config.depth)
    n_weights = stem + encoder.n_weights + _level_weights(config, encoder.filters, bottom)
    before = bottom
    for level in reversed(range(config.depth)):
        n_weights += _level_weights(config, before + filters_of_level(config, level), filters_of_level(config, level))
        before = filters_of_level(config, level)
    bottom_and_up = 2**config.depth + sum(2**level for level in range(config.depth))
    passes = config.convolutions_per_level * bottom_and_up + bool(config.head_filters)
    reach = encoder.reach + (config.kernel_size - 1) * passes
    return NetworkPlan(
        n_weights + head_weights(config, decoded),
        (config.grid[0] * 2**config.depth, config.grid[1] * 2**config.depth),
        config.grid,
        (extent[0] + reach * config.grid[0], extent[1] + reach * config.grid[1]),
    )


class EncoderPlan(NamedTuple):
    """What :func:`encode` will be: number of weights, filters of its result, reach in positions of the first level."""

    n_weights: int
    filters: int
    reach: int


def plan_encoder(before: int, config: NetworkConfig) -> EncoderPlan:
    """Plan of an encoder on ``before`` filters."""
    n_weights, passes = 0, 0
    for level in range(config.depth):
        filters = filters_of_level(config, level)
        n_weights += _level_weights(config, before, filters)
        passes += config.convolutions_per_level * 2**level
        before = filters
    return EncoderPlan(n_weights, before, (config.kernel_size - 1) * passes)


def _plan_stem(config: NetworkConfig) -> tuple[int, tuple[int, int]]:
    """Weights and extent of the way to the grid."""
    if config.stem == "patch":
        kernel = [2 * step if step > 1 else config.kernel_size for step in config.grid]
        return with_bias(config.n_channels, config.base_filters, (kernel[0], kernel[1])), (kernel[0] - 1, kernel[1] - 1)
    n_weights, extent, step, before = 0, [0, 0], [1, 1], config.n_channels
    while tuple(step) != config.grid:
        n_weights += _level_weights(config, before, config.base_filters)
        before = config.base_filters
        for axis in (0, 1):
            extent[axis] += config.convolutions_per_level * (config.kernel_size - 1) * step[axis]
            step[axis] *= 2 if step[axis] < config.grid[axis] else 1
    return n_weights, (extent[0], extent[1])


def _level_weights(config: NetworkConfig, before: int, filters: int) -> int:
    shortcut = with_bias(before, filters) if config.residual and before != filters else 0
    more = (config.convolutions_per_level - 1) * convolution_weights(config, filters, filters)
    return convolution_weights(config, before, filters) + more + shortcut


def bytes_per_pixel(config: NetworkConfig, precision: str) -> float:
    """Memory per pixel of a window, in bytes."""
    area = 1 if config.stem == "conv" else config.grid[0] * config.grid[1]
    return grid_bytes_per_pixel(config.base_filters / area, config, precision)


UNET = Architecture(
    config=NetworkConfig,
    plan=plan_unet,
    build=build_unet,
    bytes_per_pixel=bytes_per_pixel,
    without_normalization=lambda config: config.replace(normalization="none"),
)

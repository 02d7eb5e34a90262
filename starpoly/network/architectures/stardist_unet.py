"""StarDist 2D's U-Net, for models imported from StarDist.

References
----------
Schmidt et al., MICCAI 2018; Weigert & Schmidt, ISBIC 2022; https://github.com/stardist/stardist.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import Config, check_activation
from ...errors import ConfigError
from .architecture import Architecture, unet_bytes_per_pixel
from .plan import NetworkPlan, with_bias

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class StarDistNetwork(Config):
    """Network settings of StarDist's ``config.json``, with StarDist's defaults.

    ``features`` is ``net_conv_after_unet`` (0: no such layer); ``n_classes`` 0 means none. Dropout is omitted: it has
    no effect in prediction.
    """

    n_channels: int = 1
    n_rays: int = 32
    grid: tuple[int, int] = (1, 1)
    n_classes: int = 0
    depth: int = 3
    kernel_size: tuple[int, int] = (3, 3)
    base_filters: int = 32
    convolutions_per_level: int = 2
    pool: tuple[int, int] = (2, 2)
    activation: str = "relu"
    last_activation: str = "relu"
    batch_norm: bool = False
    expansion: float = 2.0
    prefix: str = ""
    features: int = 128

    def __post_init__(self) -> None:
        """Bound all sizes: untrusted JSON must not allocate a huge network."""
        limits = {
            "n_channels": (1, 4096), "n_rays": (3, 4096), "n_classes": (0, 4096), "depth": (1, 8),
            "base_filters": (1, 4096), "convolutions_per_level": (1, 32), "features": (0, 4096), "expansion": (1, 16),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name}: expected {low} to {high}, got {getattr(self, name)}")
        for name, allowed in {
            "grid": (1, 2, 4, 8, 16, 32, 64),
            "kernel_size": range(1, 32),
            "pool": range(1, 9),
        }.items():
            if not all(value in allowed for value in getattr(self, name)):
                raise ConfigError(f"{name}: got {list(getattr(self, name))}, which StarDist's U-Net does not have")
        for activation in (self.activation, self.last_activation):
            check_activation(activation)
        if self.filters(self.depth) > 8192:
            raise ConfigError(f"depth and filters: expected at most 8192 channels, got {self.filters(self.depth)}")

    def filters(self, level: int) -> int:
        """Channels of one resolution level."""
        return int(self.base_filters * self.expansion ** max(0, level))


def build_stardist_unet(network: StarDistNetwork) -> keras.Model:
    """Build StarDist's U-Net with fresh weights.

    Parameters
    ----------
    network : StarDistNetwork

    Returns
    -------
    keras.Model
        Inputs and outputs as :func:`starpoly.network.architectures.unet.build_unet`.
    """
    import keras
    from keras import layers

    image = keras.Input((None, None, network.n_channels), name="image")
    trunk = _unet(_pool_to_grid(image, network), network)
    features = _features(trunk, "features", network)
    single: dict[str, Any] = {"padding": "same", "dtype": "float32"}  # output layers stay float32 under bfloat16
    outputs = {
        "probability": layers.Conv2D(1, 1, activation="sigmoid", name="prob", **single)(features),
        "distances": layers.Conv2D(network.n_rays, 1, name="dist", **single)(features),
    }
    if network.n_classes:
        own = _features(trunk, "features_class", network)
        head = layers.Conv2D(network.n_classes + 1, 1, activation="softmax", name="prob_class", **single)
        outputs["classes"] = head(own)
    return keras.Model(image, outputs, name="stardist_unet")


def _pool_to_grid(x: keras.KerasTensor, network: StarDistNetwork) -> keras.KerasTensor:
    """Convolutions and poolings from full resolution to the grid. StarDist does not name these layers."""
    from keras import layers

    for step, pool in enumerate(_grid_poolings(network.grid)):
        for index in range(network.convolutions_per_level):
            name = f"grid_{step}_{index}"
            x = layers.Conv2D(
                network.base_filters, network.kernel_size, padding="same", activation=network.activation, name=name
            )(x)
        x = layers.MaxPooling2D(pool, name=f"grid_{step}_pool")(x)
    return x


def _grid_poolings(grid: tuple[int, int]) -> Iterator[tuple[int, int]]:
    step = (1, 1)
    while step != grid:
        pool = (2 if step[0] < grid[0] else 1, 2 if step[1] < grid[1] else 1)
        yield pool
        step = (step[0] * pool[0], step[1] * pool[1])


def _unet(x: keras.KerasTensor, network: StarDistNetwork) -> keras.KerasTensor:
    """The U. On the way up, the last convolution of a level already has the next level's width."""
    from keras import layers

    count = network.convolutions_per_level
    seen = []
    for level in range(network.depth):
        for index in range(count):
            x = _convolution(x, network.filters(level), f"down_level_{level}_no_{index}", network)
        seen.append(x)
        x = layers.MaxPooling2D(network.pool, name=f"max_{level}")(x)
    for index in range(count - 1):
        x = _convolution(x, network.filters(network.depth), f"middle_{index}", network)
    x = _convolution(x, network.filters(network.depth - 1), f"middle_{count}", network)
    for level in reversed(range(network.depth)):
        x = layers.UpSampling2D(network.pool, name=f"up_level_{level}_upsample")(x)
        x = layers.Concatenate(name=f"up_level_{level}_join")([x, seen[level]])
        for index in range(count - 1):
            x = _convolution(x, network.filters(level), f"up_level_{level}_no_{index}", network)
        last = network.activation if level else network.last_activation
        x = _convolution(x, network.filters(level - 1), f"up_level_{level}_no_{count}", network, activation=last)
    return x


def _convolution(
    x: keras.KerasTensor, filters: int, name: str, network: StarDistNetwork, *, activation: str = ""
) -> keras.KerasTensor:
    from keras import layers

    from .batch_normalization import BatchNormalization

    x = layers.Conv2D(filters, network.kernel_size, padding="same", name=name)(x)
    if network.batch_norm:
        x = BatchNormalization(name=f"{name}_norm")(x)
    return layers.Activation(activation or network.activation, name=f"{name}_activation")(x)


def _features(x: keras.KerasTensor, name: str, network: StarDistNetwork) -> keras.KerasTensor:
    from keras import layers

    if not network.features:
        return x
    return layers.Conv2D(
        network.features, network.kernel_size, padding="same", activation=network.activation, name=name
    )(x)


def plan_stardist_unet(network: StarDistNetwork) -> NetworkPlan:
    """What the config implies, see :class:`starpoly.network.architectures.plan.NetworkPlan`."""
    n_weights, before, count = 0, network.n_channels, network.convolutions_per_level
    kernel, base = network.kernel_size, network.base_filters
    for _ in _grid_poolings(network.grid):
        n_weights += with_bias(before, base, kernel) + (count - 1) * with_bias(base, base, kernel)
        before = base

    def convolved(before: int, widths: list[int]) -> int:
        pairs = zip([before, *widths], widths, strict=False)
        return sum(with_bias(*pair, kernel, batch_norm=network.batch_norm) for pair in pairs)

    for level in range(network.depth):
        n_weights += convolved(before, [network.filters(level)] * count)
        before = network.filters(level)
    n_weights += convolved(
        before, [network.filters(network.depth)] * (count - 1) + [network.filters(network.depth - 1)]
    )
    before = network.filters(network.depth - 1)
    for level in reversed(range(network.depth)):
        widths = [network.filters(level)] * (count - 1) + [network.filters(level - 1)]
        n_weights += convolved(before + network.filters(level), widths)
        before = widths[-1]
    shared = network.features or before
    features = with_bias(before, network.features, kernel) if network.features else 0
    n_weights += features + with_bias(shared, 1 + network.n_rays)
    if network.n_classes:
        n_weights += features + with_bias(shared, network.n_classes + 1)
    # of an even kernel, the radius is rounded up
    extents = [
        radius // (side // 2) * (side - 1) if side > 1 else 0
        for radius, side in zip(visible_radius(network), kernel, strict=True)
    ]
    stride = tuple(step * pool**network.depth for step, pool in zip(network.grid, network.pool, strict=True))
    return NetworkPlan(n_weights, (stride[0], stride[1]), network.grid, (extents[0], extents[1]))


def visible_radius(network: StarDistNetwork) -> tuple[int, int]:
    """Receptive field radius in pixels (y, x), summed over the convolutions.

    An estimate without Keras; :func:`starpoly.network.receptive_field.receptive_field` gives the exact bound.
    """
    radii = []
    for axis in (0, 1):
        reach, pixel = network.kernel_size[axis] // 2, 1
        radius = 0
        for pool in _grid_poolings(network.grid):
            radius += network.convolutions_per_level * reach * pixel
            pixel *= pool[axis]
        for level in range(network.depth + 1):
            passes = 1 if level == network.depth else 2
            radius += passes * network.convolutions_per_level * reach * pixel * network.pool[axis] ** level
        radii.append(radius + (reach * pixel if network.features else 0))
    return radii[0], radii[1]


def bytes_per_pixel(network: StarDistNetwork, precision: str) -> float:
    """Memory per pixel of a window, in bytes."""
    outputs = (network.n_rays + 1 + network.n_classes) / (network.grid[0] * network.grid[1])
    return unet_bytes_per_pixel(
        width=network.base_filters, n_channels=network.n_channels, outputs=outputs, precision=precision
    )


STARDIST_UNET = Architecture(
    config=StarDistNetwork,
    plan=plan_stardist_unet,
    build=build_stardist_unet,
    bytes_per_pixel=bytes_per_pixel,
    auto_bfloat16=False,  # keep StarDist's float32 results
)

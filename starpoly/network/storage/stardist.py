"""Models written by StarDist 2D: its U-Net rebuilt in Keras, its weights read without its code.

A StarDist folder holds ``config.json`` (sparse in old versions), ``thresholds.json`` and weights in
Keras's legacy HDF5 layout. The network is rebuilt with the same outputs as
:func:`starpoly.network.architectures.unet.build_unet`; weights are found by layer name where StarDist names its
layers, in topological order where it does not, and every shape is checked.

References
----------
Schmidt et al., MICCAI 2018; Weigert & Schmidt, ISBIC 2022; https://github.com/stardist/stardist.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ...config import Config, ModelSpec, NetworkConfig, NormalizationConfig, Thresholds
from ...errors import ConfigError, ModelError
from .folder import STARDIST_FILE, build_network, follow_hard_links, read_floats, read_json

if TYPE_CHECKING:
    import keras

_ACTIVATIONS = ("relu", "elu", "selu", "gelu", "softplus", "tanh", "sigmoid", "swish", "silu", "leaky_relu", "linear")
_PREFERRED = ("weights_best.h5", "weights_last.h5")


@dataclass(frozen=True)
class StarDistNetwork(Config):
    """The settings of StarDist's ``config.json`` that shape its network, with its defaults.

    ``features`` is its ``net_conv_after_unet`` (0: no such layer); ``n_classes`` 0 means none.
    Dropout is left out: it does nothing in prediction.
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
        """Bounds: a few bytes of JSON must not make us allocate a network of any size."""
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
            if activation not in _ACTIVATIONS:
                raise ConfigError(f"activation: expected one of {', '.join(_ACTIVATIONS)}, got {activation!r}")
        if self.filters(self.depth) > 8192:
            raise ConfigError(f"depth and filters: expected at most 8192 channels, got {self.filters(self.depth)}")

    def filters(self, level: int) -> int:
        """Channels of one resolution level."""
        return int(self.base_filters * self.expansion ** max(0, level))


def read_stardist_spec(folder: str | Path) -> ModelSpec:
    """Read what a StarDist folder says about its model, without weights and without Keras.

    StarDist stores neither normalisation (its examples use percentiles 1 and 99.8) nor a bound of
    the distances: ``max_distance`` is four times the radius that the network can see.

    Raises
    ------
    ModelError
        If the folder is no StarDist 2D U-Net.
    """
    folder = Path(folder)
    network = _read_network(folder / STARDIST_FILE)
    return ModelSpec(
        name=folder.resolve().name,
        network=_describe(network),
        max_distance=4.0 * max(_visible_radius(network)),
        thresholds=_read_thresholds(folder / "thresholds.json"),
        normalization=NormalizationConfig(1.0, 99.8),
        description="imported from StarDist 2D",
        # as JSON gives it back, so that a saved spec equals the one read
        stardist=json.loads(json.dumps(network.to_dict())),
    )


def load_stardist(folder: str | Path) -> tuple[ModelSpec, keras.Model]:
    """Read a folder written by StarDist 2D.

    Parameters
    ----------
    folder : path
        Holds ``config.json`` and ``weights_best.h5`` (else ``weights_last.h5``, else one other HDF5
        file); ``thresholds.json`` if thresholds were tuned.

    Returns
    -------
    (ModelSpec, keras.Model)
        The model's outputs equal those of StarDist's network; they are named as by
        :func:`starpoly.network.architectures.unet.build_unet`.

    Raises
    ------
    ModelError
        If the folder is no StarDist 2D U-Net, or its weights are missing or do not fit.
    """
    folder = Path(folder)
    spec = read_stardist_spec(folder)
    weights = find_stardist_weights(folder)
    model = build_network(spec)
    _load_legacy_weights(weights, model, StarDistNetwork.from_dict(spec.stardist).prefix)
    return spec, model


def build_stardist(settings: Mapping[str, Any]) -> keras.Model:
    """StarDist's U-Net with fresh weights.

    Parameters
    ----------
    settings : mapping
        The fields of :class:`StarDistNetwork` (``ModelSpec.stardist``).

    Returns
    -------
    keras.Model
        Inputs and outputs as :func:`starpoly.network.architectures.unet.build_unet`.

    Raises
    ------
    ModelError
        If the settings are not such.
    """
    import keras
    from keras import layers

    try:
        network = StarDistNetwork.from_dict(settings)
    except ConfigError as error:
        raise ModelError(f"not a StarDist network: {error}") from error
    image = keras.Input((None, None, network.n_channels), name="image")
    trunk = _unet(_pool_to_grid(image, network), network)
    features = _features(trunk, "features", network)
    single: dict[str, Any] = {"padding": "same", "dtype": "float32"}  # even where the rest is in bfloat16
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
    """Convolutions and poolings from full resolution to the grid; StarDist leaves these unnamed."""
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
    """The U; the last convolution of a level going up already has the width of the next level."""
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

    x = layers.Conv2D(filters, network.kernel_size, padding="same", name=name)(x)
    if network.batch_norm:
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.Activation(activation or network.activation, name=f"{name}_activation")(x)


def _features(x: keras.KerasTensor, name: str, network: StarDistNetwork) -> keras.KerasTensor:
    from keras import layers

    if not network.features:
        return x
    return layers.Conv2D(
        network.features, network.kernel_size, padding="same", activation=network.activation, name=name
    )(x)


def _read_network(path: Path) -> StarDistNetwork:
    content = read_json(path)
    if "n_rays" not in content:
        raise ModelError(f"{path}: not a StarDist configuration (no n_rays); expected a StarDist 2D or starpoly model")
    axes = content.get("axes", "YXC")
    if content.get("n_dim", 2) != 2 or (isinstance(axes, str) and "Z" in axes):
        raise ModelError(f"{path}: a StarDist 3D model; starpoly reads StarDist 2D models only")
    if content.get("backbone", "unet") != "unet":
        raise ModelError(f"{path}: expected StarDist's backbone 'unet', got {content['backbone']!r}")
    try:
        return StarDistNetwork.from_dict(_translate(content))
    except ConfigError as error:
        raise ModelError(f"{path}: not a StarDist 2D network that can be read: {error}") from error


def _translate(content: Mapping[str, Any]) -> dict[str, Any]:
    """StarDist's names to ours; what old versions leave out keeps its default."""
    names = {
        "n_channel_in": "n_channels", "n_rays": "n_rays", "grid": "grid", "n_classes": "n_classes",
        "unet_n_depth": "depth", "unet_kernel_size": "kernel_size", "unet_n_filter_base": "base_filters",
        "unet_n_conv_per_depth": "convolutions_per_level", "unet_pool": "pool", "unet_activation": "activation",
        "unet_last_activation": "last_activation", "unet_batch_norm": "batch_norm", "unet_expansion": "expansion",
        "unet_prefix": "prefix", "net_conv_after_unet": "features",
    }  # fmt: skip
    settings = {ours: content[theirs] for theirs, ours in names.items() if content.get(theirs) is not None}
    # null means "like the other layers"
    if content.get("unet_last_activation", "") is None:
        settings["last_activation"] = settings.get("activation", "relu")
    return settings


def _read_thresholds(path: Path) -> Thresholds:
    if not path.is_file():
        return Thresholds()
    content = read_json(path)
    try:
        return Thresholds.from_dict({name: content[name] for name in ("prob", "nms") if name in content})
    except ConfigError as error:
        raise ModelError(f"{path}: {error}") from error


def _describe(network: StarDistNetwork) -> NetworkConfig:
    return NetworkConfig(
        n_channels=network.n_channels, n_rays=network.n_rays, grid=network.grid, n_classes=network.n_classes,
        depth=network.depth, base_filters=network.base_filters, max_filters=network.filters(network.depth),
        convolutions_per_level=network.convolutions_per_level, head_filters=network.features, foreground_filters=0, stem="conv",
        residual=False, normalization="batch" if network.batch_norm else "none", activation=network.activation,
        distance_activation="linear", distance_scale=1.0,
    )  # fmt: skip


def _visible_radius(network: StarDistNetwork) -> tuple[int, int]:
    """How far the network sees, in pixels: the sum of what its convolutions reach.

    Close to, and no exact bound as, :func:`starpoly.network.receptive_field.receptive_field`, but
    needs no Keras.
    """
    radii = []
    for axis in (0, 1):
        reach, pixel = network.kernel_size[axis] // 2, 1
        radius = 0
        for pool in _grid_poolings(network.grid):
            radius += network.convolutions_per_level * reach * pixel
            pixel *= pool[axis]
        for level in range(network.depth + 1):
            ways = 1 if level == network.depth else 2
            radius += ways * network.convolutions_per_level * reach * pixel * network.pool[axis] ** level
        radii.append(radius + (reach * pixel if network.features else 0))
    return radii[0], radii[1]


def find_stardist_weights(folder: Path) -> Path:
    """The file of weights in a StarDist folder.

    Raises
    ------
    ModelError
        If there is none, or several of which none is StarDist's usual one.
    """
    for name in _PREFERRED:
        if (folder / name).is_file():
            return folder / name
    others = sorted(path for path in folder.iterdir() if path.suffix in (".h5", ".hdf5") and path.is_file())
    if len(others) == 1:
        return others[0]
    found = ", ".join(path.name for path in others) or "none"
    raise ModelError(f"{folder}: expected {' or '.join(_PREFERRED)} or one other HDF5 file, got {found}")


def _load_legacy_weights(path: Path, model: keras.Model, prefix: str) -> None:
    """Read Keras's legacy HDF5 layout: a group per layer, its weights listed in an attribute."""
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    try:
        with h5py.File(path, "r") as file:
            root = file if "layer_names" in file.attrs or "layer_names0" in file.attrs else file.get("model_weights")
            if not isinstance(root, h5py.Group):
                raise ModelError(f"{path}: no weights as StarDist writes them (Keras's legacy HDF5 layout)")
            stored = {}
            for name in _names(root, "layer_names", path):
                group = follow_hard_links(root, name, path)
                if weight_names := _names(group, "weight_names", path):
                    stored[name] = (group, weight_names)
            matched = _match(path, list(stored), list(layers), prefix)
            values = [
                (variable, value)
                for theirs, ours in matched
                for variable, value in _layer_values(path, ours, layers[ours], *stored[theirs])
            ]
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read as HDF5 weights ({error})") from error
    for variable, value in values:
        variable.assign(value)


def _names(group: h5py.Group, attribute: str, path: Path) -> list[str]:
    """A list of names; Keras splits a long one into numbered attributes."""
    parts = [attribute] if attribute in group.attrs else []
    while not (parts and parts[0] == attribute) and f"{attribute}{len(parts)}" in group.attrs:
        parts.append(f"{attribute}{len(parts)}")
    names = [name for part in parts for name in np.atleast_1d(group.attrs[part])]
    decoded = [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]
    if not all(isinstance(name, str) for name in decoded):
        raise ModelError(f"{path}: {attribute} is not a list of names; the file is damaged")
    return decoded


def _match(path: Path, stored: list[str], needed: list[str], prefix: str) -> list[tuple[str, str]]:
    """Pair layers by the names that StarDist gives; unnamed ones (``conv2d_1`` ...) by their order."""
    if len(stored) != len(needed):
        raise ModelError(
            f"{path}: expected {len(needed)} layers with weights, got {len(stored)}; does {STARDIST_FILE} belong to it?"
        )
    plain = {name.removeprefix(prefix): name for name in stored}
    named = [(plain[ours], ours) for ours in needed if ours in plain]
    taken = {theirs for theirs, _ in named}
    rest = [ours for ours in needed if ours not in plain]
    return named + list(zip([name for name in stored if name not in taken], rest, strict=True))


def _layer_values(
    path: Path, name: str, layer: keras.layers.Layer, group: h5py.Group, weight_names: list[str]
) -> Iterator[tuple[Any, np.ndarray]]:
    """The layer's variables, each with its stored value ("<anything>/kernel:0" is the kernel)."""
    stored = {stored_name.rsplit("/", 1)[-1].partition(":")[0]: stored_name for stored_name in weight_names}
    if set(stored) != {variable.name for variable in layer.weights}:
        wanted = ", ".join(variable.name for variable in layer.weights)
        raise ModelError(f"{path}: layer {name!r} needs the weights {wanted}; got {', '.join(stored)}")
    for variable in layer.weights:
        yield variable, read_floats(group, stored[variable.name], tuple(variable.shape), path)

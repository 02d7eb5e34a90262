"""Read StarDist 2D model folders, without StarDist's code.

The folder holds ``config.json`` (sparse in old versions), ``thresholds.json`` and weights in Keras's legacy HDF5
layout. starpoly builds the network (:mod:`starpoly.network.architectures.stardist_unet`) and matches weights by layer
name, or by order for unnamed layers. It checks every shape.

References
----------
Schmidt et al., MICCAI 2018; Weigert & Schmidt, ISBIC 2022; https://github.com/stardist/stardist.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...config import STARDIST, ModelSpec, NetworkConfig, NormalizationConfig, Thresholds
from ...errors import ConfigError, ModelError
from ..architectures.registry import build_network
from ..architectures.stardist_unet import StarDistNetwork, plan_stardist_unet, visible_radius
from .safe_files import follow_hard_links, number_stored, read_floats, read_json, require_number

if TYPE_CHECKING:
    import h5py
    import keras

STARDIST_FILE = "config.json"
_PREFERRED = ("weights_best.h5", "weights_last.h5")


def read_stardist_spec(folder: str | Path) -> ModelSpec:
    """Read the description in a StarDist folder, without weights and without Keras.

    StarDist stores neither normalisation nor a bound of distances. starpoly uses percentiles 1 and 99.8, as StarDist's
    examples do, and a ``max_distance`` of four times the receptive field radius.

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
        max_distance=4.0 * max(visible_radius(network)),
        thresholds=_read_thresholds(folder / "thresholds.json"),
        normalization=NormalizationConfig(1.0, 99.8),
        description="imported from StarDist 2D",
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
        Outputs equal those of StarDist's network, with the names of
        :func:`starpoly.network.architectures.unet.build_unet`.

    Raises
    ------
    ModelError
        If the folder is no StarDist 2D U-Net, or its weights are missing or do not fit.
    """
    folder = Path(folder)
    spec = read_stardist_spec(folder)
    weights = find_stardist_weights(folder)
    network = StarDistNetwork.from_dict(spec.network.settings)
    _check_number(weights, plan_stardist_unet(network).n_weights)
    model = build_network(spec.network)
    _load_legacy_weights(weights, model, network.prefix)
    return spec, model


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
    """Map StarDist's setting names to ours. Settings missing in old versions keep their defaults."""
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
        distance_activation="linear", distance_scale=1.0, architecture=STARDIST,
        # JSON types, so a saved spec equals the loaded one
        settings=json.loads(json.dumps(network.to_dict())),
    )  # fmt: skip


def find_stardist_weights(folder: Path) -> Path:
    """The weights file in a StarDist folder.

    Raises
    ------
    ModelError
        If there is none, or several without StarDist's usual names.
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
    import h5py

    layers = {layer.name: layer for layer in model.layers if layer.weights}
    try:
        with h5py.File(path, "r") as file:
            stored = _stored(file, path)
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


def _check_number(path: Path, n_weights: int) -> None:
    """Check that a file holds as many weights as the network needs, before that is built."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            counted: set[int] = set()
            found = sum(
                number_stored(group, name, path, counted)
                for group, names in _stored(file, path).values()
                for name in names
            )
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read as HDF5 weights ({error})") from error
    require_number(path, found, n_weights)


def _stored(file: h5py.File, path: Path) -> dict[str, tuple[h5py.Group, list[str]]]:
    """The group and the names of the weights of each layer that has some."""
    import h5py

    root = file if "layer_names" in file.attrs or "layer_names0" in file.attrs else file.get("model_weights")
    if not isinstance(root, h5py.Group):
        raise ModelError(f"{path}: no weights as StarDist writes them (Keras's legacy HDF5 layout)")
    stored = {}
    for name in _names(root, "layer_names", path):
        group = follow_hard_links(root, name, path)
        if weight_names := _names(group, "weight_names", path):
            stored[name] = (group, weight_names)
    return stored


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
    """Pair layers by StarDist's names, unnamed ones (``conv2d_1`` ...) by order."""
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
    """Pair the layer's variables with stored values ("<anything>/kernel:0" is the kernel)."""
    stored = {stored_name.rsplit("/", 1)[-1].partition(":")[0]: stored_name for stored_name in weight_names}
    if set(stored) != {variable.name for variable in layer.weights}:
        wanted = ", ".join(variable.name for variable in layer.weights)
        raise ModelError(f"{path}: layer {name!r} needs the weights {wanted}; got {', '.join(stored)}")
    for variable in layer.weights:
        yield variable, read_floats(group, stored[variable.name], tuple(variable.shape), path)

"""Model folders: ``model.json`` says what the model is, ``weights.h5`` holds its numbers.

Nothing in a model folder executes when it is read. The weights are a flat HDF5 file with one plain
float dataset per weight, named ``<layer>.<variable>``; the JSON carries their checksum. A folder
written by StarDist is read too (see :mod:`starpoly.network.storage.stardist`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...config import ModelSpec, NetworkConfig
from ...errors import ConfigError, ModelError

if TYPE_CHECKING:
    import h5py
    import keras

FORMAT = 1
SPEC_FILE = "model.json"
WEIGHTS_FILE = "weights.h5"
STARDIST_FILE = "config.json"
_LARGEST_JSON = 16 * 2**20
_WIDEST = 4096


def save_model(folder: str | Path, spec: ModelSpec, model: keras.Model, *, half_precision: bool = False) -> None:
    """Write a model folder: ``model.json`` and ``weights.h5``.

    Parameters
    ----------
    folder : path
        Made if needed; a model already there is replaced, other files in it stay.
    spec : ModelSpec
        What the model is.
    model : keras.Model
        The network of ``spec``, with its weights; it may have been built under any dtype policy.
    half_precision : bool
        Store convolution kernels as float16, at half the size.

    Raises
    ------
    ModelError
        If the folder cannot be written or the weights are not finite.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # both files stand complete beside their places before either takes it
        with _replacing(folder / SPEC_FILE) as spec_path, _replacing(folder / WEIGHTS_FILE) as weights_path:
            _write_weights(weights_path, model, half_precision)
            _write_spec(spec_path, spec, sha256_of(weights_path))
    except OSError as error:
        raise ModelError(f"{folder}: cannot write the model ({error}); choose a folder that can be written") from error
    except ValueError as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{folder}: the model's description is not plain JSON ({error})") from error


def save_spec(folder: str | Path, spec: ModelSpec) -> None:
    """Replace what a model folder says about its model, such as its thresholds; its weights stay.

    Raises
    ------
    ModelError
        If the folder holds no model of starpoly, or cannot be written.
    """
    folder = Path(folder)
    checksum = _read_spec(folder)[1]
    try:
        with _replacing(folder / SPEC_FILE) as path:
            _write_spec(path, spec, checksum)
    except OSError as error:
        raise ModelError(f"{folder}: cannot write the model ({error}); choose a folder that can be written") from error


def load_model(folder: str | Path) -> tuple[ModelSpec, keras.Model]:
    """Read a model folder of starpoly or of StarDist 2D, build its network in float32, and give it its weights.

    Parameters
    ----------
    folder : path
        Holds ``model.json`` and ``weights.h5``, or StarDist's ``config.json`` and weights.

    Returns
    -------
    spec : ModelSpec
        What the model is.
    model : keras.Model
        Its network, with the outputs of :func:`starpoly.network.architectures.unet.build_unet`.

    Raises
    ------
    ModelError
        If a file is missing, foreign, damaged, or does not fit the others.
    """
    folder = Path(folder)
    if _is_stardist(folder):
        from .stardist import load_stardist

        return load_stardist(folder)
    spec, weights = find_weights(folder)
    model = build_network(spec)
    load_weights(weights, model)
    return spec, model


def find_weights(folder: str | Path) -> tuple[ModelSpec, Path]:
    """What a model folder says about its model, and where its weights are, for those who read them without Keras.

    Parameters
    ----------
    folder : path
        As for :func:`load_model`.

    Returns
    -------
    (ModelSpec, Path)
        The description, and the file of weights. Of starpoly's own models the file's checksum has been compared with the
        description's; what is in the file has not been looked at.

    Raises
    ------
    ModelError
        If a file is missing, the description is foreign or damaged, or the checksum differs.
    """
    folder = Path(folder)
    if _is_stardist(folder):
        from .stardist import find_stardist_weights, read_stardist_spec

        return read_stardist_spec(folder), find_stardist_weights(folder)
    spec, checksum = _read_spec(folder)
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise ModelError(f"{weights}: not found; a model folder needs {SPEC_FILE} and {WEIGHTS_FILE}")
    if sha256_of(weights) != checksum:
        raise ModelError(
            f"{weights}: not the weights that {SPEC_FILE} describes (checksum differs); copy the folder anew"
        )
    return spec, weights


def load_spec(folder: str | Path) -> ModelSpec:
    """Read what a model folder says about its model, without its weights and without Keras.

    Raises
    ------
    ModelError
        As :func:`load_model`.
    """
    folder = Path(folder)
    if _is_stardist(folder):
        from .stardist import read_stardist_spec

        return read_stardist_spec(folder)
    return _read_spec(folder)[0]


def build_network(spec: ModelSpec, policy: str = "float32") -> keras.Model:
    """The network of ``spec`` with fresh weights, computing in ``policy`` whatever the global one."""
    with _dtype_policy(policy):
        if spec.stardist:
            from .stardist import build_stardist

            return build_stardist(spec.stardist)
        from ..architectures.unet import build_unet

        return build_unet(spec.network)


def save_weights(path: str | Path, model: keras.Model, half: bool = False) -> None:
    """Write a model's weights as flat HDF5, atomically.

    Parameters
    ----------
    path : path
        The file; replaced if there.
    model : keras.Model
        Any model whose layers are named uniquely.
    half : bool
        Store kernels (arrays of two or more axes) as float16 where they fit its range.

    Raises
    ------
    ModelError
        If the file cannot be written or a weight is not finite.
    """
    path = Path(path)
    try:
        with _replacing(path) as temporary:
            _write_weights(temporary, model, half)
    except OSError as error:
        raise ModelError(f"{path}: cannot write the weights ({error})") from error


def load_weights(path: str | Path, model: keras.Model) -> None:
    """Read weights written by :func:`save_weights` into a model of the same network.

    All weights are checked before the first one is assigned.

    Raises
    ------
    ModelError
        If the file is not such a file, or a weight is missing, foreign, of another shape, not plain
        floats or not finite.
    """
    import h5py

    path = Path(path)
    variables = _variables(model)
    try:
        with h5py.File(path, "r") as file:
            version = file.attrs.get("format")
            if np.ndim(version) or version != FORMAT:
                raise ModelError(f"{path}: expected starpoly weights of format {FORMAT}, got {version!r}")
            _check_names(path, set(file), set(variables))
            values = {name: read_floats(file, name, tuple(variables[name].shape), path) for name in variables}
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as HDF5 weights ({error})") from error
    for name, variable in variables.items():
        variable.assign(values[name])


def read_floats(group: h5py.Group, name: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """One dataset as float32, read only if it is what it should be: untrusted files promise anything."""
    import h5py

    dataset = follow_hard_links(group, name, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
        raise ModelError(f"{path}: weight {name!r} is not an array of floats")
    if dataset.is_virtual or dataset.external or dataset.chunks:
        raise ModelError(f"{path}: weight {name!r} is stored elsewhere or packed; such files are not read")
    if dataset.shape != shape:
        raise ModelError(f"{path}: weight {name!r} has shape {dataset.shape}, the network needs {shape}")
    value = np.asarray(dataset[()], np.float32)
    if not np.isfinite(value).all():
        raise ModelError(f"{path}: weight {name!r} holds numbers that are not finite; the training diverged")
    return value


def follow_hard_links(group: h5py.Group, name: str, path: Path) -> h5py.Group | h5py.Dataset:
    """What ``name`` (parts joined by "/") holds in ``group``; soft and external links are refused."""
    import h5py

    found = group
    for part in name.split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) and part in found else None
        if link is None:
            raise ModelError(f"{path}: {name!r} is missing; the file is damaged")
        if not isinstance(link, h5py.HardLink):
            raise ModelError(f"{path}: {name!r} is a link to elsewhere; such files are not read")
        found = found[part]
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object from a file of sane size.

    Raises
    ------
    ModelError
        If the file is missing, too large, or not a JSON object.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ModelError(f"{path}: expected a small JSON file, got {path.stat().st_size} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path}: not found; is this a model folder?") from error
    except (OSError, RecursionError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: expected a JSON object, got a {type(content).__name__}")
    return content


def _is_stardist(folder: Path) -> bool:
    return not (folder / SPEC_FILE).is_file() and (folder / STARDIST_FILE).is_file()


def _read_spec(folder: Path) -> tuple[ModelSpec, str]:
    """The spec, and the checksum that its weights must have."""
    path = folder / SPEC_FILE
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such model folder")
    content = read_json(path)
    version, checksum = content.pop("format", None), content.pop("weights_sha256", None)
    if version != FORMAT:
        raise ModelError(f"{path}: expected a starpoly model of format {FORMAT}, got {version!r}; update starpoly")
    if isinstance(content.get("network"), dict):
        content["network"].setdefault("foreground_filters", 0)  # a model from before there was such a branch
    if "enlarge_below" in content:  # ... or from when images were looked at at twice their size or not
        small = content.pop("enlarge_below")
        content.setdefault("sizes", {"smallest": small, "target": 1.5 * small} if small else {})
    try:
        spec = ModelSpec.from_dict(content)
    except ConfigError as error:
        raise ModelError(f"{path}: {error}") from error
    _refuse_absurd(spec.network, path)
    return spec, str(checksum)


def _write_spec(path: Path, spec: ModelSpec, checksum: str) -> None:
    content = {"format": FORMAT, **spec.to_dict(), "weights_sha256": checksum}
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _refuse_absurd(network: NetworkConfig, path: Path) -> None:
    """A few bytes of JSON must not make us allocate a network of any size."""
    widths = ("n_channels", "n_rays", "n_classes", "base_filters", "max_filters", "head_filters", "foreground_filters")
    limits = {**dict.fromkeys(widths, _WIDEST), "kernel_size": 31, "convolutions_per_level": 32}
    for name, limit in limits.items():
        if getattr(network, name) > limit:
            raise ModelError(f"{path}: network.{name} is {getattr(network, name)}, expected at most {limit}")
    if max(network.grid) > 64:
        raise ModelError(f"{path}: network.grid is {network.grid}, expected at most 64")


def _variables(model: keras.Model) -> dict[str, Any]:
    """All weights by ``<layer>.<variable>``, in the model's order."""
    named = [(f"{layer.name}.{variable.name}", variable) for layer in model.layers for variable in layer.weights]
    variables = dict(named)
    if len(variables) != len(named):
        raise ModelError("the model's weights have no unique names; name all its layers")
    return variables


def _write_weights(path: Path, model: keras.Model, half: bool) -> None:
    import h5py
    from keras import ops

    with h5py.File(path, "w") as file:
        file.attrs["format"] = FORMAT
        for name, variable in _variables(model).items():
            value = np.asarray(ops.convert_to_numpy(variable), np.float32)
            if not np.isfinite(value).all():
                raise ModelError(f"weight {name!r} holds numbers that are not finite: the training diverged")
            if half and value.ndim > 1 and np.abs(value).max(initial=0) < np.finfo(np.float16).max:
                value = value.astype(np.float16)
            file.create_dataset(name, data=value)


def _check_names(path: Path, have: set[str], need: set[str]) -> None:
    if missing := sorted(need - have):
        raise ModelError(
            f"{path}: {len(missing)} weights are missing, first {missing[0]!r}; it belongs to another network"
        )
    if foreign := sorted(have - need):
        raise ModelError(f"{path}: {len(foreign)} foreign weights, first {foreign[0]!r}; it belongs to another network")


def sha256_of(path: Path) -> str:
    """Hash of a file's contents.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error})") from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; renamed to it on success, removed otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _dtype_policy(policy: str) -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)

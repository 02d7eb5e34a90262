"""Weights file: flat HDF5 with one float dataset per weight, ``<layer>.<variable>``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ModelError
from ...io.files.atomic import atomic_path
from .safe_files import number_stored, read_floats, require_number

if TYPE_CHECKING:
    import h5py
    import keras

WEIGHTS_FORMAT = 1


def save_weights(path: str | Path, model: keras.Model, half: bool = False) -> None:
    """Write a model's weights as flat HDF5, atomically.

    Parameters
    ----------
    path : path
        The file; replaced if it exists.
    model : keras.Model
        Any model with unique layer names.
    half : bool
        Store kernels (two or more axes) as float16 if they fit its range.

    Raises
    ------
    ModelError
        If the file cannot be written or a weight is not finite.
    """
    path = Path(path)
    try:
        with atomic_path(path) as temporary:
            write_weights(temporary, model, half)
    except OSError as error:
        raise ModelError(f"{path}: cannot write the weights ({error})") from error


def load_weights(path: str | Path, model: keras.Model) -> None:
    """Read weights written by :func:`save_weights` into a model of the same network.

    All weights are checked before any is assigned.

    Raises
    ------
    ModelError
        If the file has another format, or a weight is missing, unknown, of another shape, not float or not finite.
    """
    import h5py

    path = Path(path)
    variables = _variables(model)
    try:
        with h5py.File(path, "r") as file:
            _check_format(path, file)
            _check_names(path, set(file), set(variables))
            values = {name: read_floats(file, name, tuple(variables[name].shape), path) for name in variables}
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as HDF5 weights ({error})") from error
    for name, variable in variables.items():
        variable.assign(values[name])


def check_number(path: str | Path, n_weights: int) -> None:
    """Check that a file holds as many weights as a network needs, before the network is built.

    Raises
    ------
    ModelError
        If it holds more or fewer, or no weights of starpoly.
    """
    import h5py

    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            _check_format(path, file)
            counted: set[int] = set()
            found = sum(number_stored(file, name, path, counted) for name in file)
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read as HDF5 weights ({error})") from error
    require_number(path, found, n_weights)


def _variables(model: keras.Model) -> dict[str, Any]:
    """All weights by ``<layer>.<variable>``, in the model's order."""
    named = [(f"{layer.name}.{variable.name}", variable) for layer in model.layers for variable in layer.weights]
    variables = dict(named)
    if len(variables) != len(named):
        raise ModelError("the model's weights have no unique names; name all its layers")
    return variables


def write_weights(path: Path, model: keras.Model, half: bool) -> None:
    """As :func:`save_weights`, straight to ``path``."""
    import h5py
    from keras import ops

    with h5py.File(path, "w") as file:
        file.attrs["format"] = WEIGHTS_FORMAT
        for name, variable in _variables(model).items():
            value = np.asarray(ops.convert_to_numpy(variable), np.float32)
            if not np.isfinite(value).all():
                raise ModelError(f"weight {name!r} holds numbers that are not finite: the training diverged")
            if half and value.ndim > 1 and np.abs(value).max(initial=0) < np.finfo(np.float16).max:
                value = value.astype(np.float16)
            file.create_dataset(name, data=value)


def _check_format(path: Path, file: h5py.File) -> None:
    version = file.attrs.get("format")
    if np.ndim(version) or version != WEIGHTS_FORMAT:
        raise ModelError(f"{path}: expected starpoly weights of format {WEIGHTS_FORMAT}, got {version!r}")


def _check_names(path: Path, have: set[str], need: set[str]) -> None:
    if missing := sorted(need - have):
        raise ModelError(
            f"{path}: {len(missing)} weights are missing, first {missing[0]!r}; it belongs to another network"
        )
    if foreign := sorted(have - need):
        raise ModelError(f"{path}: {len(foreign)} foreign weights, first {foreign[0]!r}; it belongs to another network")

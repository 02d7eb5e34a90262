"""Model folders: ``model.json`` describes the model, ``weights.h5`` holds its weights.

The JSON holds the checksum of the weights. Reading a model folder executes no code from it. StarDist's folders can be
read, too (see :mod:`starpoly.network.storage.stardist`).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import ModelSpec, NetworkConfig
from ...errors import ConfigError, ModelError
from ...io.files.atomic import atomic_path
from ..architectures.registry import ARCHITECTURES, build_network
from .safe_files import read_json, sha256_of
from .stardist import STARDIST_FILE, find_stardist_weights, load_stardist, read_stardist_spec
from .weights import check_number, load_weights, write_weights

if TYPE_CHECKING:
    import keras

FORMAT = 1
SPEC_FILE = "model.json"
WEIGHTS_FILE = "weights.h5"
#: upper bound of channels, rays, classes and filters in a description
_WIDEST = 4096


def save_model(folder: str | Path, spec: ModelSpec, model: keras.Model, *, half_precision: bool = False) -> None:
    """Write a model folder: ``model.json`` and ``weights.h5``.

    Parameters
    ----------
    folder : path
        Created if needed. An existing model is replaced; other files stay.
    spec : ModelSpec
        Description of the model.
    model : keras.Model
        The network of ``spec`` with its weights, built under any dtype policy.
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
        # complete both temporary files before renaming either
        with atomic_path(folder / SPEC_FILE) as spec_path, atomic_path(folder / WEIGHTS_FILE) as weights_path:
            write_weights(weights_path, model, half_precision)
            _write_spec(spec_path, spec, sha256_of(weights_path))
    except OSError as error:
        raise _not_written(folder, error) from error
    except ValueError as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{folder}: the model's description is not plain JSON ({error})") from error


def _not_written(folder: Path, error: OSError) -> ModelError:
    place = error.filename if isinstance(error, FileExistsError) else folder  # not the name of a temporary file
    return ModelError(
        f"{place}: cannot write the model ({error.strerror or error}); choose a folder that can be written"
    )


def save_spec(folder: str | Path, spec: ModelSpec) -> None:
    """Replace the description in a model folder, such as thresholds; keep the weights.

    Raises
    ------
    ModelError
        If the folder holds no starpoly model, or cannot be written.
    """
    folder = Path(folder)
    checksum = _read_spec(folder)[1]
    try:
        with atomic_path(folder / SPEC_FILE) as path:
            _write_spec(path, spec, checksum)
    except OSError as error:
        raise _not_written(folder, error) from error


def copy_model(source: str | Path, target: str | Path, spec: ModelSpec) -> None:
    """Write the weights of a model folder with another description into another folder, which may be the same.

    Parameters
    ----------
    source : path
        Model folder of starpoly or StarDist 2D.
    target : path
        Created if needed. An existing model is replaced; other files stay.
    spec : ModelSpec
        Describes the same network.

    Raises
    ------
    ModelError
        If the source is damaged, or the target cannot be written.
    """
    source, target = Path(source), Path(target)
    if _is_stardist(source):
        save_model(target, spec, load_model(source)[1])
        return
    _, weights = find_weights(source)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with atomic_path(target / SPEC_FILE) as spec_path, atomic_path(target / WEIGHTS_FILE) as weights_path:
            shutil.copyfile(weights, weights_path)
            _write_spec(spec_path, spec, sha256_of(weights_path))
    except OSError as error:
        raise _not_written(target, error) from error


def load_model(folder: str | Path) -> tuple[ModelSpec, keras.Model]:
    """Load a model folder of starpoly or StarDist 2D as a float32 network with weights.

    Parameters
    ----------
    folder : path
        Holds ``model.json`` and ``weights.h5``, or StarDist's ``config.json`` and weights.

    Returns
    -------
    spec : ModelSpec
        Description of the model.
    model : keras.Model
        The network, with the outputs of ``build_unet``.

    Raises
    ------
    ModelError
        If a file is missing, foreign, damaged, or does not fit the others.
    """
    folder = Path(folder)
    if _is_stardist(folder):
        return load_stardist(folder)
    spec, weights = find_weights(folder)
    architecture = ARCHITECTURES[spec.network.architecture]
    check_number(weights, architecture.plan(architecture.config_of(spec.network)).n_weights)
    model = build_network(spec.network)
    load_weights(weights, model)
    return spec, model


def find_weights(folder: str | Path) -> tuple[ModelSpec, Path]:
    """The description in a model folder and the path of its weights, without Keras.

    Parameters
    ----------
    folder : path
        As for :func:`load_model`.

    Returns
    -------
    (ModelSpec, Path)
        The description and the weights file. For starpoly's models, the file's checksum is verified. Its contents are
        not checked.

    Raises
    ------
    ModelError
        If a file is missing, the description is foreign or damaged, or the checksum differs.
    """
    folder = Path(folder)
    if _is_stardist(folder):
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
    """Read the description in a model folder, without weights and without Keras.

    Parameters
    ----------
    folder : path
        As for :func:`load_model`.

    Raises
    ------
    ModelError
        As :func:`load_model`.
    """
    folder = Path(folder)
    if _is_stardist(folder):
        return read_stardist_spec(folder)
    return _read_spec(folder)[0]


def _is_stardist(folder: Path) -> bool:
    return not (folder / SPEC_FILE).is_file() and (folder / STARDIST_FILE).is_file()


def _read_spec(folder: Path) -> tuple[ModelSpec, str]:
    """The spec and the expected checksum of its weights."""
    path = folder / SPEC_FILE
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such model folder")
    content = read_json(path)
    version, checksum = content.pop("format", None), content.pop("weights_sha256", None)
    if version != FORMAT:
        raise ModelError(f"{path}: expected a starpoly model of format {FORMAT}, got {version!r}; update starpoly")
    if isinstance(content.get("network"), dict):
        content["network"].setdefault("foreground_filters", 0)  # model from before this head existed
    if "enlarge_below" in content:  # ... or from when images were either enlarged twice or not at all
        small = content.pop("enlarge_below")
        content.setdefault("sizes", {"smallest": small, "target": 1.5 * small} if small else {})
    try:
        spec = ModelSpec.from_dict(content)
        ARCHITECTURES[spec.network.architecture].config_of(spec.network)
    except (ConfigError, ModelError) as error:
        raise ModelError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ModelError(f"{path}: expected settings, got tables within tables; copy the folder anew") from error
    _refuse_absurd(spec.network, path)
    return spec, str(checksum)


def _write_spec(path: Path, spec: ModelSpec, checksum: str) -> None:
    content = {"format": FORMAT, **spec.to_dict(), "weights_sha256": checksum}
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8", newline="\n")


def _refuse_absurd(network: NetworkConfig, path: Path) -> None:
    """Bound all sizes: untrusted JSON must not allocate a huge network."""
    widths = ("n_channels", "n_rays", "n_classes", "base_filters", "max_filters", "head_filters", "foreground_filters")
    limits = {**dict.fromkeys(widths, _WIDEST), "kernel_size": 31, "convolutions_per_level": 32}
    for name, limit in limits.items():
        if getattr(network, name) > limit:
            raise ModelError(f"{path}: network.{name} is {getattr(network, name)}, expected at most {limit}")
    if max(network.grid) > 64:
        raise ModelError(f"{path}: network.grid is {network.grid}, expected at most 64")

"""Read untrusted files.

Sizes, types and shapes are checked before reading. Nothing in a file is executed; links are not followed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ModelError
from ...io.files.small_json import read_small_json

if TYPE_CHECKING:
    import h5py

#: size limit in bytes; a model description takes a few thousand
_LARGEST_JSON = 16 * 2**20


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object from a file of limited size.

    Raises
    ------
    ModelError
        If the file is missing, too large, or not a JSON object.
    """
    try:
        content = read_small_json(path, _LARGEST_JSON)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: not found; is this a model folder?") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({error}); copy the folder anew") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: expected a JSON object, got a {type(content).__name__}")
    return content


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's contents.

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


def read_floats(group: h5py.Group, name: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """Read a dataset as float32 after checking type and shape: the file is untrusted."""
    dataset = _float_dataset(group, name, path)
    if dataset.is_virtual or dataset.external or dataset.chunks:
        raise ModelError(f"{path}: weight {name!r} is stored elsewhere or packed; such files are not read")
    if dataset.shape != shape:
        raise ModelError(f"{path}: weight {name!r} has shape {dataset.shape}, the network needs {shape}")
    value = np.asarray(dataset[()], np.float32)
    if not np.isfinite(value).all():
        raise ModelError(f"{path}: weight {name!r} holds numbers that are not finite; the training diverged")
    return value


def number_stored(group: h5py.Group, name: str, path: Path, counted: set[int]) -> int:
    """How many numbers a dataset holds, on disk and not by its header alone; what it holds is not read.

    Parameters
    ----------
    group : h5py.Group
    name : str
    path : Path
    counted : set of int
        Places of the datasets of this file that were counted before; no two names may share one.

    Raises
    ------
    ModelError
    """
    import h5py

    dataset = _float_dataset(group, name, path)
    place = h5py.h5o.get_info(dataset.id).addr
    if place in counted:
        raise ModelError(f"{path}: weight {name!r} is another one's by a second name; the file is damaged")
    counted.add(place)
    if dataset.id.get_storage_size() != dataset.size * dataset.dtype.itemsize:
        raise ModelError(f"{path}: weight {name!r} is stored elsewhere or packed; such files are not read")
    return int(dataset.size)


def _float_dataset(group: h5py.Group, name: str, path: Path) -> h5py.Dataset:
    import h5py

    dataset = follow_hard_links(group, name, path)
    if not isinstance(dataset, h5py.Dataset) or _kind(dataset) != "f":
        raise ModelError(f"{path}: weight {name!r} is not an array of floats")
    return dataset


def _kind(dataset: h5py.Dataset) -> str:
    """The kind of its numbers; empty for numbers of such bits as no type holds."""
    try:
        return dataset.dtype.kind
    except (TypeError, ValueError):
        return ""


def require_number(path: Path, found: int, n_weights: int) -> None:
    """Refuse a file of more or fewer weights than a network needs.

    Raises
    ------
    ModelError
    """
    if found != n_weights:
        raise ModelError(
            f"{path}: expected {n_weights} numbers, which the described network needs, got {found}; "
            "it belongs to another network"
        )


def follow_hard_links(group: h5py.Group, name: str, path: Path) -> h5py.Group | h5py.Dataset:
    """Object ``name`` (parts joined by "/") of ``group``; soft and external links, and names that are no text, are refused."""
    import h5py

    if not isinstance(name, str):  # h5py gives bytes where a name is no UTF-8
        raise ModelError(f"{path}: expected names of text, got {name!r}; the file is damaged")
    found = group
    for part in name.split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) and part in found else None
        if link is None:
            raise ModelError(f"{path}: {name!r} is missing; the file is damaged")
        if not isinstance(link, h5py.HardLink):
            raise ModelError(f"{path}: {name!r} is a link to elsewhere; such files are not read")
        found = found[part]
    return found

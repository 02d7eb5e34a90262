"""Frozen networks that were made before, kept in the user's cache folder.

A name there is a hash of all that the graph follows from: the model's description, the file of its weights, the precision
and the code that builds networks. Whatever cannot be used is made anew, and a folder that cannot be written costs time alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from functools import cache
from pathlib import Path

from ..._version import __version__
from ...config import ModelSpec
from ...errors import ModelError, OutputError
from ...io.files.atomic import atomic_path
from ..storage.folder import sha256_of
from .frozen_graph import FrozenNetwork
from .tensorflow_c import library_path

_log = logging.getLogger(__name__)

#: That many are kept, the ones last made.
_MOST = 16
_ENDING = ".graph"
#: what of a model's description has a part in its graph
_DECISIVE = ("network", "max_distance", "refine_outlines", "stardist")


def cache_folder() -> Path:
    """``STARPOLY_CACHE``, or ``starpoly`` in the user's cache folder."""
    given = os.environ.get("STARPOLY_CACHE")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache").expanduser()) / "starpoly"


def key_of(spec: ModelSpec, weights: Path, precision: str, form: str = "tensorflow") -> str:
    """Name of the frozen network of a model.

    Parameters
    ----------
    spec : ModelSpec
    weights : Path
        File of its weights.
    precision : {"float32", "bfloat16"}
    form : {"tensorflow", "onnx"}
        Kind of graph.
    """
    described = {name: value for name, value in spec.to_dict().items() if name in _DECISIVE}
    library = library_path()
    size = "" if library is None else str(library.stat().st_size)  # installations of several TensorFlows share a cache
    parts = [
        __version__,
        _code(),
        size,
        precision,
        form,
        json.dumps(described, sort_keys=True, default=str),
        sha256_of(weights),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def find(key: str) -> FrozenNetwork | None:
    """The network of that name, if there is one that is whole."""
    path = _path(key)
    try:
        return FrozenNetwork.read(path)
    except FileNotFoundError:
        return None
    except (ModelError, OSError) as error:
        _log.debug("%s: not used: %s", path, error)
        return None


def keep(key: str, network: FrozenNetwork) -> None:
    """Put a network into the cache, if that can be written, and remove the oldest of too many."""
    path = _path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, sync=False) as temporary:
            temporary.write_bytes(network.to_bytes())
        kept = sorted(path.parent.glob(f"*{_ENDING}"), key=lambda file: file.stat().st_mtime)
        for old in kept[:-_MOST]:
            old.unlink(missing_ok=True)
    except (OSError, OutputError) as error:
        _log.debug("%s: not kept: %s", path, error)


def _path(key: str) -> Path:
    return cache_folder() / "graphs" / f"{key}{_ENDING}"


@cache
def _code() -> str:
    """Hash of the code that builds networks."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()

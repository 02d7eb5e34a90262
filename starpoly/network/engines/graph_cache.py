"""Cache of frozen networks, and of notes about them, in the user's cache folder.

A file's name is a hash of everything the graph depends on: model description, weights, precision and the code of
:mod:`starpoly.network`. Files that are damaged, that somebody else may have written or that do not fit the model are
replaced. Without a writable folder, starpoly runs without the cache.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from ..._version import __version__
from ...config import ModelSpec
from ...errors import ModelError, OutputError
from ...io.files.atomic import atomic_path
from .c_library import library_path
from .frozen_graph import FrozenNetwork, seal, unseal

_Found = TypeVar("_Found")
_log = logging.getLogger(__name__)

#: maximum number of files; the oldest are removed
_MOST = 16
_ENDING, _NOTE = ".graph", ".note"
#: whatever the umask is: a file that others may write is not used
_OTHERS = 0o022
#: fields of the model description that affect the graph
_DECISIVE = ("network", "max_distance", "refine_outlines", "stardist")


def cache_folder() -> Path:
    """``STARPOLY_CACHE``, or ``starpoly`` in the user's cache folder."""
    given = os.environ.get("STARPOLY_CACHE")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache").expanduser()) / "starpoly"


def key_of(spec: ModelSpec, checksum: str, precision: str, form: str = "tensorflow") -> str:
    """Cache name of a model's frozen network.

    Parameters
    ----------
    spec : ModelSpec
    checksum : str
        SHA-256 of the weights file.
    precision : {"float32", "bfloat16"}
    form : str
        Graph format, or what else is kept of a network.
    """
    described = {name: value for name, value in spec.to_dict().items() if name in _DECISIVE}
    library = library_path()
    size = "" if library is None else str(library.stat().st_size)  # several TensorFlow installations share a cache
    parts = [
        __version__,
        _code(),
        size,
        precision,
        form,
        json.dumps(described, sort_keys=True, default=str),
        checksum,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def find(key: str) -> FrozenNetwork | None:
    """Read a network from the cache; None if it is missing or damaged."""
    return _find(_path(key), lambda path: FrozenNetwork.read(path, key))


def keep(key: str, network: FrozenNetwork) -> None:
    """Store a network in the cache if it is writable; remove the oldest files above the limit."""
    _keep(_path(key), network.to_bytes(key))


def find_note(key: str) -> str | None:
    """Read a note from the cache; None if it is missing, damaged, or somebody else may have written it."""
    return _find(_path(key, _NOTE), lambda path: unseal(path, key).decode("ascii", errors="replace"))


def keep_note(key: str, note: str) -> None:
    """Store a short text as :func:`keep` stores a network."""
    _keep(_path(key, _NOTE), seal(key, note.encode("ascii")))


def _find(path: Path, read: Callable[[Path], _Found]) -> _Found | None:
    try:
        return read(path)
    except FileNotFoundError:
        return None
    except (ModelError, OSError) as error:
        _log.debug("%s: not used: %s", path, error)
        return None


def _keep(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, sync=False) as temporary:
            temporary.write_bytes(content)
            temporary.chmod(temporary.stat().st_mode & ~_OTHERS)
        kept = sorted(path.parent.glob(f"*{path.suffix}"), key=lambda file: file.stat().st_mtime)
        for old in kept[:-_MOST]:
            old.unlink(missing_ok=True)
    except (OSError, OutputError) as error:
        _log.debug("%s: not kept: %s", path, error)


def _path(key: str, ending: str = _ENDING) -> Path:
    return cache_folder() / "graphs" / f"{key}{ending}"


@cache
def _code() -> str:
    """Hash of the code in ``network/``, which builds and freezes networks."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()

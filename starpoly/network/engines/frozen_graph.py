"""File format of a frozen network, independent of Keras.

The first line is a SHA-256 of the cache's key and all that follows, the second JSON, a description; the rest is the
serialised graph. Reading executes nothing. :mod:`starpoly.network.engines.c_library` checks the graph's operations before
running it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import ModelError

FORMAT = 3
_LARGEST_HEADER = 2**16


@dataclass(frozen=True)
class NetworkGeometry:
    """Receptive field radius, total stride and output spacing, each in pixels (y, x)."""

    radius: tuple[int, int]
    stride: tuple[int, int]
    grid: tuple[int, int]


@dataclass(frozen=True)
class FrozenGraph:
    """A serialised GraphDef or ONNX model with constant weights, and its tensor names.

    ``input_name`` is the batch; ``output_names`` maps head names to outputs. All tensors are float32. ``tensorflow`` is
    the version of the writer.
    """

    content: bytes
    input_name: str
    output_names: dict[str, str]
    tensorflow: str


@dataclass(frozen=True)
class FrozenNetwork:
    """A graph with the properties of its network.

    ``weights_digest`` is the SHA-256 of the weights as numbers.
    """

    graph: FrozenGraph
    geometry: NetworkGeometry
    weights_digest: str

    def to_bytes(self, key: str) -> bytes:
        """The file's contents, under a key of the cache."""
        graph = self.graph
        header = {
            "format": FORMAT,
            "tensorflow": graph.tensorflow,
            "input_name": graph.input_name,
            "output_names": graph.output_names,
            "geometry": asdict(self.geometry),
            "weights_digest": self.weights_digest,
        }
        line = json.dumps(header).encode() + b"\n"
        return _digest(key, line, graph.content) + line + graph.content

    @classmethod
    def read(cls, path: Path, key: str) -> FrozenNetwork:
        """Read a file.

        Raises
        ------
        ModelError
            If the file has another key or format, is damaged, or somebody else may have written it.
        OSError
            If it cannot be read.
        """
        with open(path, "rb", opener=_no_link) as file:
            _check_owner(os.fstat(file.fileno()), path)
            digest, line = file.readline(_LARGEST_HEADER), file.readline(_LARGEST_HEADER)
            graph = file.read()
        try:
            if not hmac.compare_digest(digest, _digest(key, line, graph)):
                raise ValueError("its checksum differs")
            return _parse(json.loads(line), graph)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelError(f"{path}: expected a frozen network, got something else ({error}); delete it") from error


def _digest(key: str, line: bytes, graph: bytes) -> bytes:
    digest = hashlib.sha256(f"{key}\n".encode())
    for part in (line, graph):
        digest.update(part)
    return digest.hexdigest().encode() + b"\n"


def _no_link(path: str, flags: int) -> int:
    """Open neither a link nor, waiting for a writer, a pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _check_owner(status: os.stat_result, path: Path) -> None:
    """A graph decides the results: only this user and the administrator may have written it."""
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{path}: expected a frozen network, got no file")
    if not hasattr(os, "geteuid"):  # Windows keeps the cache in the user's own folder
        return
    if status.st_uid not in (os.geteuid(), 0):
        raise ModelError(f"{path}: expected a frozen network of this user, got one of user {status.st_uid}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ModelError(f"{path}: expected a frozen network that only its owner may write, got one that others may")


def _parse(header: dict[str, Any], graph: bytes) -> FrozenNetwork:
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r}")
    outputs = {_text(name): _text(tensor) for name, tensor in header["output_names"].items()}
    geometry = {name: _pair(header["geometry"][name]) for name in ("radius", "stride", "grid")}
    return FrozenNetwork(
        FrozenGraph(graph, _text(header["input_name"]), outputs, _text(header["tensorflow"])),
        NetworkGeometry(**geometry),
        _text(header["weights_digest"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {value!r}")
    return value


def _pair(value: Any) -> tuple[int, int]:
    y, x = value
    if not (type(y) is type(x) is int and 0 <= y < 2**20 and 0 <= x < 2**20):
        raise ValueError(f"expected two small whole numbers, got {value!r}")
    return y, x

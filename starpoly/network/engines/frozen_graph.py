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
from ..footprint import Footprint

FORMAT = 4
_LARGEST_HEADER = 2**16


@dataclass(frozen=True)
class NetworkGeometry:
    """Footprints of the outputs along y and x."""

    y: Footprint
    x: Footprint

    @property
    def footprints(self) -> tuple[Footprint, Footprint]:
        """Both, y first."""
        return self.y, self.x

    @property
    def radius(self) -> tuple[int, int]:
        """Radius of the receptive field in pixels (y, x)."""
        return self.y.radius, self.x.radius

    @property
    def stride(self) -> tuple[int, int]:
        """Total stride in pixels (y, x)."""
        return self.y.stride, self.x.stride

    @property
    def grid(self) -> tuple[int, int]:
        """Pixels between two outputs (y, x)."""
        return self.y.spacing, self.x.spacing


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
        return seal(key, json.dumps(header).encode() + b"\n" + graph.content)

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
        line, _, graph = unseal(path, key).partition(b"\n")
        try:
            if len(line) > _LARGEST_HEADER:
                raise ValueError("its description is too long")
            return _parse(json.loads(line), graph)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelError(f"{path}: expected a frozen network, got something else ({error}); delete it") from error


def seal(key: str, content: bytes) -> bytes:
    """Contents of a file of the cache: a hash of its key and what it holds, then that."""
    return _digest(key, content) + content


def unseal(path: Path, key: str) -> bytes:
    """What a file of the cache holds.

    Raises
    ------
    ModelError
        If the file has another key, is damaged, or somebody else may have written it.
    OSError
        If it cannot be read.
    """
    with open(path, "rb", opener=_no_link) as file:
        _check_owner(os.fstat(file.fileno()), path)
        digest, content = file.readline(_LARGEST_HEADER), file.read()
    if not hmac.compare_digest(digest, _digest(key, content)):
        raise ModelError(
            f"{path}: expected a file of starpoly's cache, got something else (its checksum differs); delete it"
        )
    return content


def _digest(key: str, content: bytes) -> bytes:
    digest = hashlib.sha256(f"{key}\n".encode())
    digest.update(content)
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
    geometry = NetworkGeometry(*(_footprint(header["geometry"][axis]) for axis in ("y", "x")))
    return FrozenNetwork(
        FrozenGraph(graph, _text(header["input_name"]), outputs, _text(header["tensorflow"])),
        geometry,
        _text(header["weights_digest"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {value!r}")
    return value


def _footprint(value: dict[str, Any]) -> Footprint:
    before, after = (tuple(_small(pixels) for pixels in value[side]) for side in ("before", "after"))
    spacing = _small(value["spacing"])
    if not (0 < len(before) == len(after) and spacing):
        raise ValueError(f"expected the reach of each output, got {value!r}")
    return Footprint(spacing, before, after)


def _small(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**20:
        raise ValueError(f"expected a small whole number, got {value!r}")
    return value

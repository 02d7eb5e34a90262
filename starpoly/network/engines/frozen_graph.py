"""File format of a frozen network, independent of Keras.

The first line is JSON (description and SHA-256 of the graph); the rest is the serialised graph. Reading executes
nothing. :mod:`starpoly.network.engines.c_library` checks the graph's operations before running it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import ModelError

FORMAT = 2
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

    def to_bytes(self) -> bytes:
        """The file's contents."""
        graph = self.graph
        header = {
            "format": FORMAT,
            "tensorflow": graph.tensorflow,
            "input_name": graph.input_name,
            "output_names": graph.output_names,
            "geometry": asdict(self.geometry),
            "weights_digest": self.weights_digest,
            "sha256": hashlib.sha256(graph.content).hexdigest(),
        }
        return json.dumps(header).encode() + b"\n" + graph.content

    @classmethod
    def read(cls, path: Path) -> FrozenNetwork:
        """Read a file.

        Raises
        ------
        ModelError
            If the file has another format or is damaged.
        OSError
            If it cannot be read.
        """
        with path.open("rb") as file:
            line = file.readline(_LARGEST_HEADER)
            graph = file.read()
        try:
            return _parse(json.loads(line), graph)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelError(f"{path}: expected a frozen network, got something else ({error}); delete it") from error


def _parse(header: dict[str, Any], graph: bytes) -> FrozenNetwork:
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']!r}")
    if hashlib.sha256(graph).hexdigest() != header["sha256"]:
        raise ValueError("its checksum differs")
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

"""Serving by OpenVINO: the frozen graph of the network, compiled for each shape of window.

OpenVINO keeps images in the layout that its convolutions like from one to the next, and joins what follows a convolution
to it, which TensorFlow does for some operations only. In bfloat16 it takes about six tenths of TensorFlow's time.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import openvino

from ..errors import ModelError
from .frozen import FrozenGraph

#: Shapes of windows that stay compiled; an image needs one.
_SHAPES = 4


class OpenVinoNetwork:
    """A frozen network: a batch in, a dict of arrays out. May be called from several threads.

    Parameters
    ----------
    graph : FrozenGraph
        In float32.
    precision : {"float32", "bfloat16"}
        In which numbers it is to compute; in float32 answers differ from TensorFlow's by rounding.

    Raises
    ------
    ModelError
        If OpenVINO cannot run the graph.
    """

    def __init__(self, graph: FrozenGraph, precision: str) -> None:
        self._core = openvino.Core()
        self._settings = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._wanted = dict(graph.wanted)
        self._requests: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._lock = Lock()
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "network.pb")
                path.write_bytes(graph.graph)
                self._model = self._core.read_model(path)
        except RuntimeError as error:
            raise ModelError(f"engine: expected a network that OpenVINO can run, got {_line(error)}; use tensorflow") from error

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        with self._lock:
            request = self._request(batch.shape)
            try:
                request.infer([batch], share_inputs=True)
            except RuntimeError as error:
                raise MemoryError(f"OpenVINO cannot run a network window of shape {batch.shape}: {_line(error)}") from error
            # the request's own memory is written again by the next batch
            return {name: request.get_tensor(tensor).data.copy() for name, tensor in self._wanted.items()}

    def _request(self, shape: tuple[int, ...]) -> Any:
        if shape in self._requests:
            self._requests.move_to_end(shape)
            return self._requests[shape]
        while len(self._requests) >= _SHAPES:
            self._requests.popitem(last=False)
        model = self._model.clone()
        model.reshape({model.inputs[0]: list(shape)})
        self._requests[shape] = self._core.compile_model(model, "CPU", self._settings).create_infer_request()
        return self._requests[shape]


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__

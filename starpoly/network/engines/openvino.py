"""OpenVINO engine: runs the frozen graph, compiled for frequent window shapes.

OpenVINO keeps its preferred memory layout between convolutions and fuses more operations than TensorFlow. In bfloat16
it takes about eight tenths of TensorFlow's time. Static shapes are fastest, but compiling takes as long as one or two
megapixels. So a new window shape first runs on a dynamic-shape network, up to half slower. It is compiled once the
extra cost equals that of compiling. Both use the same kernels and give the same bits. In int8 they do not, so each shape is
compiled, which takes a fifth of a second.
"""

from __future__ import annotations

import math
import tempfile
import weakref
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...parallel import n_threads
from ..precision import cpu_has_bfloat16
from .engine import RunningNetwork
from .frozen_graph import FrozenGraph
from .quantization import calibration_windows, quantize
from .source import NetworkSource

#: Number of window shapes kept compiled. An image needs one, its looks some.
_SHAPES = 8
#: Number of requests kept for reuse, which saves memory allocation.
_REQUESTS = 3
#: Pixels of one window shape before it is compiled.
_WORTHWHILE = 2**21


class OpenVinoNetwork:
    """A compiled network that maps a batch to a dict of arrays. Thread-safe.

    Parameters
    ----------
    graph : FrozenGraph
        The float32 graph.
    precision : {"float32", "bfloat16", "int8"}
        Arithmetic. In float32, results differ from TensorFlow's by rounding.
    windows : callable
        Gives the windows that show the ranges of integers, see :mod:`starpoly.network.engines.quantization`.

    Raises
    ------
    ModelError
        If OpenVINO cannot run the graph.
    """

    def __init__(
        self, graph: FrozenGraph, precision: str, windows: Callable[[], Iterable[NDArray[np.float32]]] = tuple
    ) -> None:
        import openvino

        self._core = openvino.Core()
        self._settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": n_threads(),
        }
        self._worthwhile = 0 if precision == "int8" else _WORTHWHILE
        self._output_names = dict(graph.output_names)
        self._networks: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._for_any: Any = None
        self._pixels: Counter[tuple[int, ...]] = Counter()
        # network, request and its output
        self._used: deque[tuple[Any, Any, list[weakref.ref]]] = deque(maxlen=_REQUESTS)
        self._lock = Lock()
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "network.pb")
                path.write_bytes(graph.content)
                self._model = self._core.read_model(path)
            if precision == "int8":
                self._model = quantize(self._core, self._model, windows())
        except RuntimeError as error:
            raise ModelError(
                f"engine: expected a network that OpenVINO can run, got {_line(error)}; use tensorflow"
            ) from error

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        with self._lock:
            network = self._compiled(batch.shape)
            request = self._request(network)
            try:
                request.infer([batch], share_inputs=True, share_outputs=True)
            except RuntimeError as error:
                raise MemoryError(
                    f"OpenVINO cannot run a network window of shape {batch.shape}: {_line(error)}"
                ) from error
            answers = {name: request.get_tensor(tensor).data for name, tensor in self._output_names.items()}
            self._used.append((network, request, [weakref.ref(answer) for answer in answers.values()]))
        return answers

    def _request(self, network: Any) -> Any:
        """A request whose output memory is no longer referenced. Outputs are not copied."""
        for used in self._used:
            if used[0] is network and not any(answer() is not None for answer in used[2]):
                self._used.remove(used)
                return used[1]
        return network.create_infer_request()

    def _compiled(self, shape: tuple[int, ...]) -> Any:
        if shape in self._networks:
            self._networks.move_to_end(shape)
            return self._networks[shape]
        self._pixels[shape] += math.prod(shape[:-1])
        if self._pixels[shape] < self._worthwhile:
            if self._for_any is None:
                self._for_any = self._compile((-1, -1, -1, shape[-1]))
            return self._for_any
        del self._pixels[shape]
        while len(self._networks) >= _SHAPES:
            self._networks.popitem(last=False)
        self._networks[shape] = self._compile(shape)
        return self._networks[shape]

    def _compile(self, shape: tuple[int, ...]) -> Any:
        """Compile the network for a window shape; -1 means any length."""
        model = self._model.clone()
        model.reshape({model.inputs[0]: list(shape)})
        return self._core.compile_model(model, "CPU", self._settings)


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__


class OpenVino:
    """Runs the frozen float32 graph; OpenVINO itself lowers it to bfloat16, and quantised it runs in integers."""

    title, packages, extra = "OpenVINO", ("openvino",), "fast"
    precisions = ("float32", "bfloat16", "int8")

    def open(self, source: NetworkSource, precision: str, *, make: bool = True) -> RunningNetwork:
        """See :meth:`starpoly.network.engines.engine.Engine.open`."""
        from .tensorflow import frozen_network

        precision = source.choose_precision(precision, fast=cpu_has_bfloat16())
        network = frozen_network(source)
        windows = partial(calibration_windows, source.spec.network.n_channels, network.geometry.stride)
        run = OpenVinoNetwork(network.graph, precision, windows)
        return RunningNetwork(run, precision, network.geometry, network.weights_digest)


OPENVINO = OpenVino()

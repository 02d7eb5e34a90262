"""ONNX Runtime engine: runs the frozen graph as an ONNX model, on a GPU with ``onnxruntime-gpu``.

One session serves windows of any shape. ONNX Runtime has no bfloat16 convolutions on CPUs.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

from ...errors import ModelError
from ...parallel import n_threads
from .engine import RunningNetwork
from .frozen_graph import FrozenGraph, FrozenNetwork
from .source import NetworkSource

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_ONLY_ERRORS = 3
#: graph format in the cache
_FORM = "onnx"
#: fast algorithm choice: an exhaustive search would delay each new window shape
_CUDA_SETTINGS = {"cudnn_conv_algo_search": "HEURISTIC"}


class OnnxNetwork:
    """An ONNX model that maps a batch to a dict of arrays. Thread-safe.

    Parameters
    ----------
    graph : FrozenGraph
        See :func:`starpoly.network.engines.onnx_graph.to_onnx`.

    Raises
    ------
    ModelError
        If ONNX Runtime cannot run the model.
    """

    def __init__(self, graph: FrozenGraph) -> None:
        import onnxruntime

        self._input_name, self._output_names = graph.input_name, dict(graph.output_names)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ONLY_ERRORS
        options.intra_op_num_threads = n_threads()
        # idle threads must not spin: geometry threads need the CPUs
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(graph.content, options, providers=_providers())
        except Exception as error:  # ONNX Runtime's exceptions share no base class
            raise ModelError(
                f"engine: expected a network that ONNX Runtime can run, got {_line(error)}; use tensorflow"
            ) from error

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        try:
            answers = self._session.run(list(self._output_names.values()), {self._input_name: batch})
        except Exception as error:
            raise MemoryError(
                f"ONNX Runtime cannot run a network window of shape {batch.shape}: {_line(error)}"
            ) from error
        return dict(zip(self._output_names, answers, strict=True))


def _providers() -> list[Any]:
    """Execution providers in order of preference: a GPU if this ONNX Runtime supports it, then the CPU."""
    import onnxruntime

    if _CUDA not in onnxruntime.get_available_providers():
        return [_CPU]
    # loads CUDA from Python packages; prints missing libraries, then the CPU computes
    with contextlib.redirect_stdout(io.StringIO()):
        onnxruntime.preload_dlls()
    return [(_CUDA, _CUDA_SETTINGS), _CPU]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


class OnnxRuntime:
    """Runs the frozen graph as an ONNX model, also cached."""

    title, packages, extra, precisions = "ONNX Runtime", ("onnxruntime", "tf2onnx"), "onnx", ("float32",)

    def open(self, source: NetworkSource, precision: str, *, make: bool = True) -> RunningNetwork:
        """See :meth:`starpoly.network.engines.engine.Engine.open`."""
        precision = source.choose_precision(precision, fast=False)
        network = source.find_frozen("float32", _FORM) or _convert(source)
        return RunningNetwork(OnnxNetwork(network.graph), precision, network.geometry, network.weights_digest)


def _convert(source: NetworkSource) -> FrozenNetwork:
    from .onnx_graph import to_onnx
    from .tensorflow import frozen_network

    network = frozen_network(source)
    return source.keep_frozen(to_onnx(network.graph), network.geometry, "float32", _FORM)


ONNX = OnnxRuntime()

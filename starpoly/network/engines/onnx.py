"""Serving by ONNX Runtime: the frozen graph of the network as an ONNX model, on a GPU where ``onnxruntime-gpu`` finds one.

One session is for windows of any shape. Convolutions in bfloat16 are not to be had from it on CPUs.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import onnxruntime

from ...errors import ModelError
from ...parallel import n_threads
from .frozen_graph import FrozenGraph

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_ONLY_ERRORS = 3
#: a window of a new shape is not to wait until every algorithm has been tried
_CUDA_SETTINGS = {"cudnn_conv_algo_search": "HEURISTIC"}


class OnnxNetwork:
    """A network as an ONNX model: a batch in, a dict of arrays out. May be called from several threads.

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
        self._given, self._wanted = graph.given, dict(graph.wanted)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ONLY_ERRORS
        options.intra_op_num_threads = n_threads()
        # threads that wait for work leave the processors to those of the geometry
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(graph.graph, options, providers=_providers())
        except Exception as error:  # its exceptions have no base of their own
            raise ModelError(
                f"engine: expected a network that ONNX Runtime can run, got {_line(error)}; use tensorflow"
            ) from error

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        try:
            answers = self._session.run(list(self._wanted.values()), {self._given: batch})
        except Exception as error:
            raise MemoryError(
                f"ONNX Runtime cannot run a network window of shape {batch.shape}: {_line(error)}"
            ) from error
        return dict(zip(self._wanted, answers, strict=True))


def _providers() -> list[Any]:
    """What is to compute, the first that can: a GPU where this ONNX Runtime is made for one, and the CPU."""
    if _CUDA not in onnxruntime.get_available_providers():
        return [_CPU]
    # finds CUDA among Python's packages; what it does not find it prints, and the CPU computes
    with contextlib.redirect_stdout(io.StringIO()):
        onnxruntime.preload_dlls()
    return [(_CUDA, _CUDA_SETTINGS), _CPU]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

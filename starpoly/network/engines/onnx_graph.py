"""Convert a frozen TensorFlow graph to ONNX with tf2onnx."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ...errors import ModelError
from ..quiet import quiet_import
from .frozen_graph import FrozenGraph

#: ONNX opset version, supported since ONNX Runtime 1.14.
_OPERATIONS = 18


def to_onnx(graph: FrozenGraph) -> FrozenGraph:
    """Convert a network to an ONNX model.

    Parameters
    ----------
    graph : FrozenGraph
        A GraphDef in float32.

    Returns
    -------
    FrozenGraph
        Holds the ONNX model instead of the GraphDef. Tensor names stay the same.

    Raises
    ------
    ModelError
        If tf2onnx does not support an operation.
    """
    quiet_import()
    from tensorflow.core.framework.graph_pb2 import GraphDef

    with _without_notes():
        import tf2onnx

        try:
            model, _ = tf2onnx.convert.from_graph_def(
                GraphDef.FromString(graph.content),
                input_names=[graph.input_name],
                output_names=list(graph.output_names.values()),
                opset=_OPERATIONS,
            )
        except Exception as error:  # the converter raises many types
            reason = " ".join(str(error).split())[:300]
            raise ModelError(
                f"engine: expected a network that tf2onnx can convert, got {reason}; use tensorflow"
            ) from error
    return replace(graph, content=model.SerializeToString())


@contextmanager
def _without_notes() -> Iterator[None]:
    """Silence deprecation messages of tf2onnx and TensorFlow."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

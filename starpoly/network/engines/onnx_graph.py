"""A frozen graph of TensorFlow as an ONNX model, by tf2onnx."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ...errors import ModelError
from ..quiet import quiet_import
from .frozen_graph import FrozenGraph

#: ONNX's version of operations: ONNX Runtime has known it since 1.14.
_OPERATIONS = 18


def to_onnx(graph: FrozenGraph) -> FrozenGraph:
    """The same network as an ONNX model.

    Parameters
    ----------
    graph : FrozenGraph
        A GraphDef in float32.

    Returns
    -------
    FrozenGraph
        With the model instead of the GraphDef; its tensors have the same names.

    Raises
    ------
    ModelError
        If there are operations that tf2onnx does not know.
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
        except Exception as error:  # whatever a converter raises
            reason = " ".join(str(error).split())[:300]
            raise ModelError(
                f"engine: expected a network that tf2onnx can convert, got {reason}; use tensorflow"
            ) from error
    return replace(graph, content=model.SerializeToString())


@contextmanager
def _without_notes() -> Iterator[None]:
    """Without what tf2onnx and TensorFlow log about names of theirs that are old."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

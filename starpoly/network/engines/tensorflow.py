"""TensorFlow engine: traces the network once, freezes it and runs it in a session.

The engine caches the frozen graph. Later processes start without Keras (:mod:`starpoly.network.engines.tensorflow_c`),
and other engines can run it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ModelError
from ..keras_settings import own_settings
from ..precision import cpu_has_bfloat16
from ..quiet import quiet_import
from .engine import RunningNetwork
from .frozen_graph import FrozenNetwork
from .source import NetworkSource

if TYPE_CHECKING:
    from .freezing import Frozen


class TensorFlow:
    """Freezes the Keras model and runs the graph."""

    title, packages, extra, precisions = "TensorFlow", (), "", ("float32", "bfloat16")

    def open(self, source: NetworkSource, precision: str, *, make: bool = True) -> RunningNetwork | None:
        """See :meth:`starpoly.network.engines.engine.Engine.open`; None under another Keras backend."""
        if quiet_import().backend.backend() != "tensorflow":
            return None
        from .freezing import has_gpu

        precision = source.choose_precision(precision, fast=cpu_has_bfloat16() and not has_gpu())
        running, _ = _freeze(source, precision)
        return running


def frozen_network(source: NetworkSource, precision: str = "float32") -> FrozenNetwork:
    """Get or create a network's frozen graph, for another engine.

    Raises
    ------
    ModelError
        If TensorFlow cannot freeze it.
    """
    network = source.find_frozen(precision)
    if network is None and quiet_import().backend.backend() == "tensorflow":
        _, network = _freeze(source, precision)
    if network is None:
        raise ModelError(
            "engine: expected a network that TensorFlow can freeze for another engine, it cannot; use tensorflow"
        )
    return network


def _freeze(source: NetworkSource, precision: str) -> tuple[RunningNetwork, FrozenNetwork | None]:
    """Freeze the network into a session. Also cache the graph if it comes from a folder and other engines accept it."""
    from ..bounded import bounded_in
    from ..receptive_field import network_geometry
    from .freezing import freeze

    geometry = network_geometry(source.model)
    with own_settings():
        frozen: Frozen = freeze(bounded_in(precision, source.model, source.spec), source.spec.network.n_channels)
    graph = None if source.weights is None else frozen.graph()
    network = None if graph is None else source.keep_frozen(graph, geometry, precision)
    return RunningNetwork(frozen, precision, geometry), network


TENSORFLOW = TensorFlow()

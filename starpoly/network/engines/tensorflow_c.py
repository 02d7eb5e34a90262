"""Engine on TensorFlow's C library: runs a frozen graph without importing Keras or TensorFlow.

Importing Keras and TensorFlow, building layers and tracing takes most of the time to segment one image, and gives the
same graph each time. The cache holds that graph (:mod:`starpoly.network.engines.graph_cache`).
``STARPOLY_SERVING=keras`` disables this engine unless it is requested by name.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

import numpy as np

from ...errors import ModelError
from ..keras_settings import backend
from ..precision import cpu_has_bfloat16
from ..quiet import quiet_level
from .c_library import Library, Session, library_path
from .engine import RunningNetwork
from .frozen_graph import FrozenNetwork
from .source import NetworkSource

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SessionNetwork:
    """A frozen network in a session; maps a batch to a dict of arrays. Thread-safe."""

    network: FrozenNetwork
    session: Session

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.network.graph.output_names, self.session.run(batch), strict=True))


class TensorFlowC:
    """Runs frozen graphs through TensorFlow's C API."""

    title, packages, extra, precisions = "TensorFlow's C library", (), "", ("float32", "bfloat16")

    def open(self, source: NetworkSource, precision: str, *, make: bool = True) -> RunningNetwork | None:
        """See :meth:`starpoly.network.engines.engine.Engine.open`; None without the library."""
        # only the loaded library tells whether a GPU computes; load it only if the cache has a graph
        possible = [source.choose_precision(precision, fast=fast) for fast in (cpu_has_bfloat16(), False)]
        path = library_path()
        if path is None or (not make and not _is_wanted()):
            return None
        found = {each: source.find_frozen(each) for each in dict.fromkeys(possible)}
        if not make and not any(found.values()):
            return None
        try:
            with quiet_level():
                library = Library(path)
                session = Session(library)
            chosen = possible[0] if not session.has_gpu() else possible[1]
            network = found[chosen]
            if network is None or network.graph.tensorflow != library.version:
                if not make:
                    return None
                network = _made(source, chosen)
            graph = network.graph
            session.load(graph.content, graph.input_name, list(graph.output_names.values()))
        except (AttributeError, OSError, ModelError) as error:
            if make:
                raise ModelError(
                    f"engine: TensorFlow's C library does not run the network ({error}); use tensorflow"
                ) from error
            _log.debug("the frozen network is not used: %s", error)
            return None
        return RunningNetwork(SessionNetwork(network, session), chosen, network.geometry, network.weights_digest)


def _made(source: NetworkSource, precision: str) -> FrozenNetwork:
    from .tensorflow import frozen_network

    return frozen_network(source, precision)


def _is_wanted() -> bool:
    """Whether the request "tensorflow" may run a frozen graph."""
    return backend() == "tensorflow" and os.environ.get("STARPOLY_SERVING") != "keras"


TENSORFLOW_C = TensorFlowC()

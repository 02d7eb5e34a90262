"""Serving without Keras: a network that was frozen before, run by TensorFlow's C library.

Importing Keras and TensorFlow, building layers and tracing them takes most of the time from the start of a process to the
labels of one image, and leads to the same graph each time. It is kept in the cache (:mod:`starpoly.network.engines.graph_cache`)
and, where it is found there, run as it is (:mod:`starpoly.network.engines.tensorflow_c`). ``STARPOLY_SERVING=keras`` goes the long way.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...config import ModelSpec
from ...errors import ModelError
from ..precision import choose_precision, cpu_has_bfloat16
from ..quiet import quiet_level
from . import graph_cache
from .frozen_graph import FrozenNetwork
from .tensorflow_c import Library, Session, library_path

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedNetwork:
    """A frozen network in a session: a batch in, a dict of arrays out. May be called from several threads."""

    network: FrozenNetwork
    precision: str
    session: Session

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.network.graph.wanted, self.session.run(batch), strict=True))


def find_frozen(spec: ModelSpec, weights: Path, precision: str) -> LoadedNetwork | None:
    """The network of a model without Keras, if it was frozen before and can be run here.

    Parameters
    ----------
    spec : ModelSpec
    weights : Path
        File of its weights.
    precision : {"auto", "float32", "bfloat16"}
        As for :class:`~starpoly.network.predictor.Predictor`, with the same choice for "auto".

    Raises
    ------
    ConfigError
        If ``precision`` is none of the three.
    """

    def chosen(*, fast: bool) -> str:
        return choose_precision(precision, foreign=bool(spec.stardist), fast=fast)

    possible = {chosen(fast=cpu_has_bfloat16()), chosen(fast=False)}
    path = library_path()
    if path is None or _backend() != "tensorflow" or os.environ.get("STARPOLY_SERVING") == "keras":
        return None
    kept = {name: graph_cache.find(graph_cache.key_of(spec, weights, name)) for name in possible}
    if not any(kept.values()):
        return None
    try:
        with quiet_level():
            library = Library(path)
            session = Session(library)
        wanted = chosen(fast=cpu_has_bfloat16() and not session.has_gpu())
        network = kept[wanted]
        if network is None or network.graph.tensorflow != library.version:
            return None
        session.load(network.graph.graph, network.graph.given, list(network.graph.wanted.values()))
    except (AttributeError, OSError, ModelError) as error:
        _log.debug("the frozen network is not used: %s", error)
        return None
    return LoadedNetwork(network, wanted, session)


def _backend() -> str:
    """Keras's backend, without importing Keras where it is not there yet."""
    if keras := sys.modules.get("keras"):
        return keras.backend.backend()
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    home = os.environ.get("KERAS_HOME")
    try:
        settings = json.loads(Path(home or Path("~/.keras").expanduser(), "keras.json").read_text(encoding="utf-8"))
        return str(settings.get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):
        return "tensorflow"

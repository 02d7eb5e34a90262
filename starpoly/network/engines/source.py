"""Input of an engine: a model description with weights on disk or in a Keras model."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import ModelSpec
from ...errors import ModelError
from ..architectures.registry import ARCHITECTURES
from ..heads.registry import heads_of
from ..precision import choose_precision
from ..quiet import quiet_import
from ..storage.folder import find_weights, load_model
from ..storage.safe_files import sha256_of
from . import graph_cache
from .frozen_graph import FrozenGraph, FrozenNetwork, NetworkGeometry

if TYPE_CHECKING:
    import keras


class NetworkSource:
    """The network for an engine to open.

    Parameters
    ----------
    spec : ModelSpec
    weights : Path, optional
        Weights file in a model folder.
    model : keras.Model, optional
        The network. Default: read from the folder on demand.
    """

    def __init__(self, spec: ModelSpec, *, weights: Path | None = None, model: keras.Model | None = None) -> None:
        self.spec, self.weights = spec, weights
        self._model = model
        self._takes_cached, self._took_cached = weights is not None, False

    @classmethod
    def of_folder(cls, folder: str | Path, *, refine_outlines: bool = True) -> NetworkSource:
        """The network of a model folder; errors as :func:`starpoly.network.storage.folder.find_weights`."""
        spec, weights = find_weights(folder)
        return cls(spec.replace(refine_outlines=spec.refine_outlines and refine_outlines), weights=weights.absolute())

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the weights file at first use; empty without a file."""
        return "" if self.weights is None else sha256_of(self.weights)

    @property
    def model(self) -> keras.Model:
        """The network in Keras.

        Raises
        ------
        ModelError
            If the folder has changed since.
        """
        if self._model is None and self.weights is not None:
            folder = self.weights.parent
            if sha256_of(find_weights(folder)[1]) != self.checksum:
                raise ModelError(f"{folder}: expected the weights that were loaded, got others; load the model anew")
            quiet_import()
            self._model = load_model(folder)[1]
        return self._model

    @cached_property
    def weights_digest(self) -> str:
        """SHA-256 of the weights as numbers, in hexadecimal digits."""
        digest = hashlib.sha256()
        for weight in self.model.get_weights():
            digest.update(weight.tobytes())
        return digest.hexdigest()

    def choose_precision(self, wanted: str, *, fast: bool) -> str:
        """The effective precision, see :func:`starpoly.network.precision.choose_precision`."""
        known = ARCHITECTURES[self.spec.network.architecture].auto_bfloat16
        return choose_precision(wanted, foreign=not known, fast=fast)

    def find_frozen(self, precision: str, form: str = "tensorflow") -> FrozenNetwork | None:
        """The frozen graph from the cache; None if there is none that fits the model."""
        found = graph_cache.find(self._key(precision, form)) if self._takes_cached else None
        if found is None or not self._fits(found):
            return None
        self._took_cached = True
        return found

    def distrust_cache(self) -> bool:
        """Take no graph from the cache any more, so that it is made anew; whether one was taken before."""
        took, self._takes_cached, self._took_cached = self._took_cached, False, False
        return took

    def _fits(self, found: FrozenNetwork) -> bool:
        """Whether a graph has the outputs and the geometry of the described network."""
        network = self.spec.network
        architecture = ARCHITECTURES[network.architecture]
        wanted = {head.name for head in heads_of(network)}
        plan = architecture.plan(architecture.config_of(network))
        return wanted == found.graph.output_names.keys() and plan.fits(found.geometry)

    def keep_frozen(
        self, graph: FrozenGraph, geometry: NetworkGeometry, precision: str, form: str = "tensorflow"
    ) -> FrozenNetwork:
        """Store a frozen graph of this network in the cache, for later processes."""
        network = FrozenNetwork(graph, geometry, self.weights_digest)
        if self.weights is not None:
            graph_cache.keep(self._key(precision, form), network)
        return network

    def _key(self, precision: str, form: str) -> str:
        return graph_cache.key_of(self.spec, self.checksum, precision, form)

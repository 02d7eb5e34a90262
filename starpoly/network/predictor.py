"""The network as the pipeline sees it: a numpy batch in, numpy arrays out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import ModelSpec
from ..errors import ModelError
from .dense_output import DenseOutput
from .engines import graph_cache
from .engines.cached import find_frozen
from .engines.choice import check_engine
from .engines.frozen_graph import Freezable, FrozenNetwork, NetworkGeometry
from .memory import usual_tile_size
from .precision import choose_precision, cpu_has_bfloat16
from .quiet import quiet_import
from .storage.folder import find_weights, load_model, sha256_of

if TYPE_CHECKING:
    import keras

Serve = Callable[[np.ndarray], dict[str, np.ndarray]]

# no polygon shrinks to a point: StarDist's bound, kept so that its models give the same numbers
MIN_DISTANCE = 1e-3


class Predictor:
    """A model ready to run.

    The same window gives the same bits whenever it is asked for on the same device; windows in
    batches of another size may differ in the last bits.

    Parameters
    ----------
    spec : ModelSpec
        What the model is.
    model : keras.Model
        Its network, see :func:`starpoly.network.storage.folder.load_model`.
    precision : {"auto", "float32", "bfloat16"}
        In which numbers convolutions are computed. "auto": bfloat16 for starpoly's own models on a CPU that has it,
        under TensorFlow and without a GPU; float32 otherwise, and always for models of StarDist.

    Attributes
    ----------
    spec, model
        As given.
    precision : {"float32", "bfloat16"}
        The one in effect.
    engine : {"tensorflow", "openvino", "onnx"}
        What runs the network.
    stride, grid : (int, int)
        Windows are multiples of ``stride`` pixels; outputs lie ``grid`` pixels apart.
    halo : (int, int)
        Radius of the receptive field in pixels.
    n_channels, n_rays, n_classes : int
        ``n_classes`` does not count the background; 0 means none.
    max_distance : float
        Bound of every distance, in pixels.
    ray_context : tuple of float
        Where along the rays distances are to be estimated again.
    has_foreground : bool
        Whether the foreground is told, and the outlines are to be refined by it.
    tile_size : int
        Side in pixels of windows that keep memory within the usual bound.

    Raises
    ------
    ModelError
        If the network's receptive field has no bound, see
        :func:`starpoly.network.receptive_field.receptive_field`.
    ConfigError
        If ``precision`` is none of the three.
    """

    def __init__(self, spec: ModelSpec, model: keras.Model, precision: str = "auto") -> None:
        from .receptive_field import network_geometry

        precision = choose_precision(precision, foreign=bool(spec.stardist), fast=_bfloat16_is_fast())
        self._take(spec, network_geometry(model), precision, _serving(_in_precision(spec, model, precision), spec))
        self._model: keras.Model | None = model

    def _take(self, spec: ModelSpec, geometry: NetworkGeometry, precision: str, serve: Serve) -> None:
        self.spec, self.geometry = spec, geometry
        self.halo, self.stride, self.grid = geometry.radius, geometry.stride, geometry.grid
        self.n_channels, self.n_rays = spec.network.n_channels, spec.network.n_rays
        self.n_classes, self.max_distance = spec.network.n_classes, spec.max_distance
        self.ray_context = spec.ray_context
        self.has_foreground = spec.network.foreground_filters > 0 and spec.refine_outlines
        self.precision, self.engine = precision, "tensorflow"
        self.tile_size = usual_tile_size(spec.network, precision)
        self._serve = serve
        self._source: tuple[Path, str] | None = None
        self._digest = ""

    @classmethod
    def load(
        cls, folder: str | Path, precision: str = "auto", *, refine_outlines: bool = True, engine: str = "tensorflow"
    ) -> Predictor:
        """The predictor of a model folder, with or without refinement; errors as :func:`starpoly.network.storage.folder.load_model`.

        A network that was loaded before is found as a frozen graph in the cache, and neither Keras nor TensorFlow is imported for
        it (see :mod:`starpoly.network.engines.cached`). Its answers are the same bits. Another ``engine`` than TensorFlow runs the
        frozen graph (see :func:`starpoly.network.engines.choice.check_engine`).
        """
        spec, weights = find_weights(folder)
        spec = spec.replace(refine_outlines=spec.refine_outlines and refine_outlines)
        check_engine(engine, precision)
        if engine != "tensorflow":
            return cls._load_elsewhere(spec, weights, precision, engine)
        frozen = find_frozen(spec, weights, precision)
        if frozen is None:
            quiet_import()
            predictor = cls(spec, load_model(folder)[1], precision)
            predictor._keep(weights)
            return predictor
        return cls._of_frozen(spec, weights, frozen.network, frozen.precision, frozen)

    @classmethod
    def _of_frozen(
        cls, spec: ModelSpec, weights: Path, network: FrozenNetwork, precision: str, serve: Serve
    ) -> Predictor:
        predictor = cls.__new__(cls)
        predictor._take(spec, network.geometry, precision, serve)
        predictor._model = None
        predictor._source = weights.parent, sha256_of(weights)
        predictor._digest = network.weights_digest
        return predictor

    @classmethod
    def _load_elsewhere(cls, spec: ModelSpec, weights: Path, precision: str, engine: str) -> Predictor:
        """The predictor whose frozen graph another engine than TensorFlow runs."""
        about = check_engine(engine, precision)
        precision = choose_precision(precision, foreign=bool(spec.stardist), fast=about.bfloat16 and cpu_has_bfloat16())
        key = graph_cache.key_of(spec, weights, "float32", about.form)
        network = graph_cache.find(key)
        if network is None:
            network = cls._freeze(spec, weights)
            if about.form == "onnx":
                from .engines.onnx_graph import to_onnx

                network = replace(network, graph=to_onnx(network.graph))
                graph_cache.keep(key, network)
        predictor = cls._of_frozen(spec, weights, network, precision, _serving_by(engine, network, precision))
        predictor.engine = engine
        return predictor

    @classmethod
    def _freeze(cls, spec: ModelSpec, weights: Path) -> FrozenNetwork:
        """TensorFlow's frozen graph of a network in float32, from the cache or made anew."""
        network = graph_cache.find(graph_cache.key_of(spec, weights, "float32"))
        if network is None:
            quiet_import()
            network = cls(spec, load_model(weights.parent)[1], "float32")._keep(weights)
        if network is None:
            raise ModelError(
                "engine: expected a network that TensorFlow can freeze for another engine, it cannot; use tensorflow"
            )
        return network

    @property
    def model(self) -> keras.Model:
        """The network in Keras; loaded from its folder where serving did without.

        Raises
        ------
        ModelError
            If the folder is no longer what it was.
        """
        if self._model is None and self._source is not None:
            folder, checksum = self._source
            quiet_import()
            if sha256_of(find_weights(folder)[1]) != checksum:
                raise ModelError(f"{folder}: expected the weights that were loaded, got others; load the model anew")
            self._model = load_model(folder)[1]
        return self._model

    @property
    def weights_digest(self) -> str:
        """SHA-256 of the weights as numbers, in hexadecimal digits."""
        if not self._digest:
            digest = hashlib.sha256()
            for weight in self.model.get_weights():
                digest.update(weight.tobytes())
            self._digest = digest.hexdigest()
        return self._digest

    def _keep(self, weights: Path) -> FrozenNetwork | None:
        """Put the frozen network into the cache, for later processes; None if it cannot be frozen."""
        graph = self._serve.graph() if isinstance(self._serve, Freezable) else None
        if graph is None:
            return None
        network = FrozenNetwork(graph, self.geometry, self.weights_digest)
        graph_cache.keep(graph_cache.key_of(self.spec, weights, self.precision), network)
        return network

    def __call__(self, batch: np.ndarray) -> DenseOutput:
        """Run the network.

        Parameters
        ----------
        batch : array, float32 (batch, y, x, n_channels)
            Normalised windows whose sides are multiples of ``stride``.

        Raises
        ------
        ModelError
            If the batch's shape does not fit the network.
        MemoryError
            If the device's memory does not suffice for a batch of this shape (TensorFlow).
        """
        batch = np.ascontiguousarray(batch, np.float32)
        self._check(batch.shape)
        outputs = self._serve(batch)
        if not self.has_foreground:
            outputs.pop("foreground", None)
        return DenseOutput(**outputs)

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 4 or shape[3] != self.n_channels:
            raise ModelError(f"expected windows (batch, y, x, {self.n_channels}), got an array of shape {shape}")
        if min(shape) < 1 or any(length % step for length, step in zip(shape[1:3], self.stride, strict=True)):
            raise ModelError(f"expected windows in multiples of {self.stride} pixels, got shape {shape}")


def _bfloat16_is_fast() -> bool:
    """Whether it is known to be, with this backend on this device."""
    import keras

    if keras.backend.backend() != "tensorflow" or not cpu_has_bfloat16():
        return False
    from .engines.tensorflow import has_gpu

    return not has_gpu()


def _serving_by(engine: str, network: FrozenNetwork, precision: str) -> Serve:
    """A frozen network run by another engine than TensorFlow."""
    if engine == "onnx":
        from .engines.onnx import OnnxNetwork

        return OnnxNetwork(network.graph)
    from .engines.openvino import OpenVinoNetwork

    return OpenVinoNetwork(network.graph, precision)


def _in_precision(spec: ModelSpec, model: keras.Model, precision: str) -> keras.Model:
    if precision != "bfloat16":
        return model
    from .bfloat16 import in_bfloat16

    return in_bfloat16(spec, model)


def _serving(model: keras.Model, spec: ModelSpec) -> Serve:
    """The fastest way that the backend has to run the network and bound what it says."""
    import keras

    def run(batch: Any) -> dict[str, Any]:
        outputs = dict(model(batch, training=False))
        outputs["probability"] = outputs["probability"][..., 0]
        outputs["distances"] = keras.ops.clip(outputs["distances"], MIN_DISTANCE, spec.max_distance)
        return outputs

    if keras.backend.backend() == "tensorflow":
        from .engines.tensorflow import freeze

        return freeze(run, spec.network.n_channels)
    return lambda batch: {name: keras.ops.convert_to_numpy(value) for name, value in run(batch).items()}

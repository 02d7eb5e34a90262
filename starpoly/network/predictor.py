"""Predictor: runs a model on numpy batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from ..config import ModelSpec
from ..errors import ModelError
from ..parallel import keep_freed_memory
from .dense_output import DenseOutput
from .engines.forked import check_process
from .engines.registry import check_engine, open_network, resolve_engine
from .engines.source import NetworkSource
from .memory import usual_tile_size

if TYPE_CHECKING:
    import keras

KerasModel: TypeAlias = "keras.Model"
"""Type alias for annotations, without importing Keras."""


class Predictor:
    """A model ready to run.

    The same window gives the same bits on the same device. Another batch size may change the last bits.

    Parameters
    ----------
    spec : ModelSpec
        Description of the model.
    model : keras.Model
        The network, see :func:`starpoly.network.load_model`.
    precision : {"auto", "float32", "bfloat16", "int8"}
        Arithmetic of convolutions. "auto": bfloat16 for starpoly's own models under TensorFlow on a CPU that supports
        it, without a GPU; else float32. StarDist models always use float32.

    Attributes
    ----------
    spec, model
        As given.
    precision : {"float32", "bfloat16", "int8"}
        The effective precision.
    engine : str
        Engine of the network, a name in ``starpoly.network.engines.registry.ENGINES``.
    stride, grid : (int, int)
        Window sides are multiples of ``stride`` pixels; outputs lie ``grid`` pixels apart.
    footprints : (Footprint, Footprint)
        What outputs depend on along y and x.
    n_channels, n_rays, n_classes : int
        ``n_classes`` excludes the background; 0 means no classes.
    max_distance : float
        Upper bound of ray distances, in pixels.
    ray_context : tuple of float
        Positions along the rays for the second estimate of distances.
    has_foreground : bool
        Whether the network predicts the foreground and it refines the outlines.
    tile_size : int
        Default window side, in pixels.

    Raises
    ------
    ModelError
        If the network's receptive field is unbounded, see ``receptive_field``.
    ConfigError
        If ``precision`` is none of these.
    """

    def __init__(self, spec: ModelSpec, model: KerasModel, precision: str = "auto") -> None:
        self._open(NetworkSource(spec, model=model), precision, "tensorflow")

    @classmethod
    def load(
        cls, folder: str | Path, precision: str = "auto", *, refine_outlines: bool = True, engine: str = "tensorflow"
    ) -> Predictor:
        """Open a model folder, with or without refinement of outlines.

        Errors as for :func:`starpoly.network.load_model` and ``open_network``.
        """
        check_engine(engine, precision)
        predictor = cls.__new__(cls)
        predictor._open(NetworkSource.of_folder(folder, refine_outlines=refine_outlines), precision, engine)
        return predictor

    def _open(self, source: NetworkSource, precision: str, engine: str) -> None:
        keep_freed_memory()
        engine = resolve_engine(engine, source, precision)
        running = open_network(source, engine, precision)
        spec = source.spec
        self.spec, self.engine, self.precision = spec, engine, running.precision
        geometry = running.geometry
        self.footprints, self.stride, self.grid = geometry.footprints, geometry.stride, geometry.grid
        self.n_channels, self.n_rays = spec.network.n_channels, spec.network.n_rays
        self.n_classes, self.max_distance = spec.network.n_classes, spec.max_distance
        self.ray_context = spec.ray_context
        self.has_foreground = spec.network.foreground_filters > 0 and spec.refine_outlines
        self.tile_size = usual_tile_size(spec.network, running.precision)
        self._source, self._running = source, running

    def __repr__(self) -> str:
        return f"Predictor({self.spec.name!r}, {self.engine}, {self.precision})"

    @property
    def halo(self) -> tuple[int, int]:
        """Receptive field radius in pixels (y, x)."""
        return self.footprints[0].radius, self.footprints[1].radius

    @property
    def model(self) -> KerasModel:
        """The Keras network; read from its folder if the engine runs without it.

        Raises
        ------
        ModelError
            If the folder has changed.
        """
        return self._source.model

    @property
    def weights_digest(self) -> str:
        """SHA-256 of the weights as numbers, in hexadecimal digits."""
        return self._running.weights_digest or self._source.weights_digest

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the folder and settings; another process opens the same network from them."""
        if self._source.weights is None:
            raise ModelError(
                f"{self.spec.name}: expected a model from a folder to be pickled, got one whose network is only in memory; "
                "save it and load it from there"
            )
        return reopen, (
            self._source.weights.parent,
            self.precision,
            self.spec.refine_outlines,
            self.engine,
            self._source.checksum,
        )

    def __call__(self, batch: np.ndarray) -> DenseOutput:
        """Run the network.

        Parameters
        ----------
        batch : array, float32 (batch, y, x, n_channels)
            Normalised windows whose sides are multiples of ``stride``.

        Raises
        ------
        ModelError
            If the batch's shape does not fit the network, or the process is a fork of one that has opened a network.
        MemoryError
            If the device runs out of memory for a batch of this shape (TensorFlow).
        """
        check_process()
        batch = np.ascontiguousarray(batch, np.float32)
        self._check(batch.shape)
        outputs = self._running.run(batch)
        if not self.has_foreground:
            outputs.pop("foreground", None)
        return DenseOutput(**outputs)

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 4 or shape[3] != self.n_channels:
            raise ModelError(f"expected windows (batch, y, x, {self.n_channels}), got an array of shape {shape}")
        if min(shape) < 1 or any(length % step for length, step in zip(shape[1:3], self.stride, strict=True)):
            raise ModelError(f"expected windows in multiples of {self.stride} pixels, got shape {shape}")


class _InFork:
    """Stands for a predictor where no network can run, and says so as soon as it is used."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_message":
            raise AttributeError(name)
        raise ModelError(self._message)


def reopen(folder: Path, precision: str, refine_outlines: bool, engine: str, checksum: str) -> Predictor:
    """Restore a pickled predictor; its folder must hold the same weights.

    In a fork the error waits until the predictor is used: pools deliver errors of their work, and wait for ever after those of
    unpickling.
    """
    try:
        check_process()
    except ModelError as error:
        return cast(Predictor, _InFork(str(error)))
    predictor = Predictor.load(folder, precision, refine_outlines=refine_outlines, engine=engine)
    if predictor._source.checksum != checksum:
        raise ModelError(f"{folder}: expected the weights that the model was pickled with, got others; pickle it anew")
    return predictor

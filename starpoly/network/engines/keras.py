"""Keras engine: runs the model under any backend."""

from __future__ import annotations

import numpy as np

from ..keras_settings import own_settings
from ..precision import cpu_has_bfloat16
from ..quiet import quiet_import
from .engine import RunningNetwork
from .source import NetworkSource


class Keras:
    """Runs the Keras model directly."""

    title, packages, extra, precisions = "Keras", (), "", ("float32", "bfloat16")

    def open(self, source: NetworkSource, precision: str, *, make: bool = True) -> RunningNetwork:
        """See :meth:`starpoly.network.engines.engine.Engine.open`."""
        keras = quiet_import()
        from ..bounded import bounded_in
        from ..receptive_field import network_geometry

        precision = source.choose_precision(precision, fast=_bfloat16_is_fast(keras.backend.backend()))
        with own_settings():
            function = bounded_in(precision, source.model, source.spec)

        def run(batch: np.ndarray) -> dict[str, np.ndarray]:
            with own_settings():
                return {name: keras.ops.convert_to_numpy(values) for name, values in function(batch).items()}

        return RunningNetwork(run, precision, network_geometry(source.model))


def _bfloat16_is_fast(backend: str) -> bool:
    """Whether bfloat16 is known to be fast with this backend on this device."""
    if backend != "tensorflow" or not cpu_has_bfloat16():
        return False
    from .freezing import has_gpu

    return not has_gpu()


KERAS = Keras()

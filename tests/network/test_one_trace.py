"""A folder of images of many sizes: the network is traced once."""

from __future__ import annotations

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tracing is TensorFlow's")

SIZES = [(1, 8, 8), (1, 8, 16), (1, 32, 24), (1, 8, 8), (2, 16, 16), (1, 64, 8)]


def test_windows_of_any_size_are_served_by_one_trace():
    from starpoly.network.engines.freezing import freeze

    traced = []

    def double(batch):
        traced.append(batch.shape)
        return {"probability": batch * 2, "distances": batch + 1}

    serve = freeze(double, n_channels=3)
    for shape in SIZES:
        batch = np.random.default_rng(0).random((*shape, 3), dtype=np.float32)
        outputs = serve(batch)
        np.testing.assert_array_equal(outputs["probability"], batch * 2)
        np.testing.assert_array_equal(outputs["distances"], batch + 1)
    assert [tuple(shape) for shape in traced] == [(None, None, None, 3)]

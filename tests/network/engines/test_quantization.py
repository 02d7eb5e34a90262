"""Eight-bit integers find what floats find, whatever the tiling; levels are where they should be."""

from __future__ import annotations

import importlib.util
import pickle
from importlib.resources import files

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import ConfigError
from starpoly.evaluation import average_precision
from starpoly.io.readers.images import read_image
from starpoly.model import StarPoly2D
from starpoly.network.engines import quantization
from starpoly.network.engines.quantization import calibration_windows, quantize
from starpoly.network.engines.registry import check_engine, resolve_engine

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="needs openvino"),
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the graph is frozen by TensorFlow"),
]


@pytest.fixture(scope="module")
def image():
    return read_image(files("starpoly") / "demo_images" / "fluorescence_nuclei.png")


@pytest.fixture(scope="module")
def model():
    return StarPoly2D.from_pretrained("nuclei-fluo-small", engine="openvino", precision="int8")


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_zero_is_a_level_of_every_range(one, other):
    low, high = quantization._with_zero(min(one, other), max(one, other))
    step = (high - low) / 255
    assert low <= 0 <= high + step / 2
    assert step > 0
    assert abs(low / step - round(low / step)) < 1e-6


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_windows_of_the_demo_images_fit_any_network(n_channels):
    windows = list(calibration_windows(n_channels, (16, 32)))
    assert len(windows) >= 5
    for window in windows:
        assert (window.shape[0], window.shape[3], window.dtype) == (1, n_channels, np.float32)
        assert (window.shape[1] % 16, window.shape[2] % 32) == (0, 0)


def convolution(rng, padded):
    """Two convolutions, the first of 2 to 3 channels with levels, as a model of OpenVINO; and the weights."""
    import openvino
    from openvino import opset13 as ops

    taken = ops.parameter([1, 2, 8, 8], np.float32)
    first, second = (rng.normal(0, 1, shape).astype(np.float32) for shape in ((3, 2, 3, 3), (1, 3, 1, 1)))
    pads = [1, 1] if padded else [0, 0]
    inner = ops.relu(ops.convolution(taken, ops.constant(first), [1, 1], pads, pads, [1, 1]))
    last = ops.convolution(inner, ops.constant(second), [1, 1], [0, 0], [0, 0], [1, 1])
    return openvino.Model([ops.result(last)], [taken]), first, second


def rounded(values, low, high, n):
    """The nearest of n levels from low to high."""
    step = (high - low) / (n - 1)
    return np.clip(np.round((values - low) / step), 0, n - 1) * step + low


@pytest.mark.parametrize("padded", [False, True])
def test_levels_are_those_of_the_slow_twin(rng, padded):
    import openvino

    network, first, second = convolution(rng, padded)
    window = rng.uniform(-1, 2, (1, 2, 8, 8)).astype(np.float32)
    core = openvino.Core()
    integer = core.compile_model(quantize(core, network, [window]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    values = rounded(window[0], *quantization._with_zero(window.min(), window.max()), 256)
    if padded:
        values = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    largest = 127 / 64 * np.abs(first).max(axis=(1, 2, 3))
    weights = np.stack([rounded(kernel, -most, most, 255) for kernel, most in zip(first, largest, strict=True)])
    patches = np.lib.stride_tricks.sliding_window_view(values, (3, 3), axis=(1, 2))
    inner = np.maximum(np.einsum("cyxij,ocij->oyx", patches, weights), 0)
    expected = np.einsum("oyx,no->nyx", inner, second[:, :, 0, 0])  # the last convolution stays in float32
    np.testing.assert_allclose(integer([window])[0][0], expected, rtol=1e-3, atol=2e-3)


def test_finds_what_floats_find(model, image):
    floats = StarPoly2D.from_pretrained("nuclei-fluo-small", engine="openvino")
    labels = [each.predict_instances(image)[0] for each in (floats, model)]
    assert average_precision(*labels, 0.7) > 0.95
    assert floats.fingerprint() != model.fingerprint()
    assert "openvino, int8" in repr(model)


def test_tiles_change_nothing(model, image):
    whole, _ = model.predict_instances(image)
    tiled, _ = model.predict_instances(image, tile_size=128)
    np.testing.assert_array_equal(whole, tiled)


def test_opened_again_it_gives_the_same_bits(model, image):
    one, other = (each.predict_instances(image)[1] for each in (model, pickle.loads(pickle.dumps(model))))
    for name in ("coord", "prob"):
        np.testing.assert_array_equal(one[name], other[name])


def test_only_one_engine_has_integers():
    assert resolve_engine("openvino", None, "int8") == "openvino"
    for engine in ("tensorflow", "onnx"):
        with pytest.raises(ConfigError, match=r"got int8; or use another engine \(openvino\)"):
            check_engine(engine, "int8")

"""Every shape of network builds, answers in the right shapes, and survives its model folder."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.network.architectures.unet import build_unet
from starpoly.network.receptive_field import network_geometry
from starpoly.network.storage.folder import load_model, save_model

TINY = {"depth": 1, "base_filters": 2, "max_filters": 4, "head_filters": 4, "n_rays": 5, "foreground_filters": 3}
VARIANTS = {
    "plain": {},
    "deep": {"depth": 3},
    "grid 1": {"grid": (1, 1)},
    "grid 1 2": {"grid": (1, 2)},
    "grid 4, conv stem": {"grid": (4, 4), "stem": "conv"},
    "grid 1 2, conv stem": {"grid": (1, 2), "stem": "conv"},
    "bare": {"normalization": "none", "head_filters": 0, "foreground_filters": 0},
    "RGB with classes": {"n_channels": 3, "n_classes": 2},
    "many rays, linear": {"n_rays": 64, "distance_activation": "linear"},
    "wide kernel": {"kernel_size": 5, "convolutions_per_level": 1},
}


def randomize(model, seed=0):
    """Weights such that every one of them matters, variances included."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        value = random.normal(0, 0.3, variable.shape)
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.name else value)


@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes_and_folder(variant, tmp_path):
    config = NetworkConfig(**{**TINY, **VARIANTS[variant]})
    model = build_unet(config)
    randomize(model)
    stride_y, stride_x = network_geometry(model).stride
    height, width = 2 * stride_y, 3 * stride_x
    image = np.random.default_rng(1).normal(size=(2, height, width, config.n_channels)).astype(np.float32)
    outputs = {name: np.asarray(value) for name, value in model(image, training=False).items()}
    h, w = height // config.grid[0], width // config.grid[1]
    expected = {"probability": (2, h, w, 1), "distances": (2, h, w, config.n_rays)}
    if config.foreground_filters:
        expected["foreground"] = (2, h, w, config.grid[0] * config.grid[1])
    if config.n_classes:
        expected["classes"] = (2, h, w, config.n_classes + 1)
    assert {name: value.shape for name, value in outputs.items()} == expected

    spec = ModelSpec("tiny", config, max_distance=50.0, class_names=("a", "b"), training={"epochs": 3})
    save_model(tmp_path, spec, model)
    found, loaded = load_model(tmp_path)
    assert found == spec
    for name, value in loaded(image, training=False).items():
        np.testing.assert_array_equal(np.asarray(value), outputs[name])


@pytest.mark.parametrize("variant", VARIANTS)
def test_stride_and_grid_are_those_of_the_graph(variant):
    config = NetworkConfig(**{**TINY, **VARIANTS[variant]})
    geometry = network_geometry(build_unet(config))
    stride = tuple(grid * 2**config.depth for grid in config.grid)
    assert (geometry.stride, geometry.grid) == (stride, config.grid)


def test_class_probabilities_sum_to_one_and_probabilities_lie_between():
    model = build_unet(NetworkConfig(**TINY, n_classes=3))
    randomize(model)
    outputs = model(np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype(np.float32), training=False)
    np.testing.assert_allclose(np.asarray(outputs["classes"]).sum(axis=-1), 1, atol=1e-5)
    assert 0 <= np.asarray(outputs["probability"]).min() <= np.asarray(outputs["probability"]).max() <= 1
    assert np.asarray(outputs["distances"]).min() >= 0

"""What every architecture has to do."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.errors import ConfigError, ModelError
from starpoly.network.architectures.registry import ARCHITECTURES, build_network
from starpoly.network.memory import usual_tile_size, window_bytes
from starpoly.network.predictor import Predictor
from starpoly.network.receptive_field import network_geometry
from starpoly.network.storage.folder import load_model, save_model

#: own settings of a small network, where an architecture has a config of its own
SETTINGS = {"stardist_unet": {"n_rays": 4, "grid": [2, 2], "depth": 1, "base_filters": 2, "features": 2}}
#: what an architecture with one shape alone asks for
FIXED = {"efficientnet_unet": {"n_channels": 3, "depth": 3}}


def tiny(name):
    network = NetworkConfig(
        n_rays=4, grid=(2, 2), depth=1, base_filters=2, head_filters=2, foreground_filters=0, stem="conv",
        architecture=name, settings=SETTINGS.get(name, {}),
    )  # fmt: skip
    return network.replace(**FIXED.get(name, {}))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_builds_saves_and_runs(name, tmp_path):
    spec = ModelSpec(name, tiny(name), max_distance=9.0)
    model = build_network(spec.network)
    save_model(tmp_path, spec, model)
    assert load_model(tmp_path)[0] == spec
    geometry = network_geometry(model)
    assert geometry.grid == (2, 2)
    batch = np.zeros((1, 2 * geometry.stride[0], 3 * geometry.stride[1], spec.network.n_channels), np.float32)
    single, half = (Predictor(spec, model, precision)(batch) for precision in ("float32", "bfloat16"))
    assert single.distances.shape == (1, batch.shape[1] // 2, batch.shape[2] // 2, 4)
    np.testing.assert_allclose(half.probability, single.probability, atol=0.02)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_says_how_much_memory_it_takes(name):
    network = tiny(name)
    assert 0 < window_bytes(network, (64, 64), "bfloat16") <= window_bytes(network, (64, 64))
    assert 1024 <= usual_tile_size(network) <= 4096


def test_of_the_same_widths_the_two_take_the_same_memory():
    settings = {"n_rays": 32, "grid": [2, 2], "base_filters": 32, "n_channels": 3}
    ours = NetworkConfig(n_channels=3, grid=(2, 2), stem="conv")
    theirs = ours.replace(architecture="stardist_unet", settings=settings)
    assert window_bytes(ours, (512, 512)) == window_bytes(theirs, (512, 512))


def test_what_there_is_not_is_refused():
    with pytest.raises(
        ConfigError,
        match=r"architecture: expected one of unet, efficientnet_unet, subpixel_unet, stardist_unet.*got 'transformer'",
    ):
        build_network(NetworkConfig(architecture="transformer"))
    with pytest.raises(ModelError, match=r"not a network of the architecture stardist_unet: .*depth"):
        build_network(NetworkConfig(architecture="stardist_unet", settings={"depth": 99}))


@pytest.mark.parametrize("change", [{"base_filters": 4_000_000_000, "max_filters": 4_000_000_000},
                                    {"base_filters": 4096, "max_filters": 4096, "kernel_size": 31}])  # fmt: skip
def test_a_network_of_too_many_weights_is_refused_before_it_is_built(change):
    with pytest.raises(ConfigError, match=r"network: expected at most 536870912 weights, got \d+; take fewer filters"):
        build_network(NetworkConfig(**change))

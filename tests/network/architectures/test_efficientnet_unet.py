"""The U-Net with the encoder of EfficientNet-Lite0: outputs, geometry, ImageNet weights, model folder."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.errors import ConfigError
from starpoly.network.architectures.efficientnet_unet import BLOCKS, start_from_imagenet
from starpoly.network.architectures.registry import build_network
from starpoly.network.receptive_field import network_geometry
from starpoly.network.storage.folder import load_model, save_model

CONFIG = NetworkConfig(
    n_channels=3, architecture="efficientnet_unet", base_filters=4, max_filters=8, head_filters=4, n_rays=5,
    foreground_filters=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def pretrained():
    model = build_network(CONFIG)
    start_from_imagenet(model)
    return model


def test_outputs_lie_on_the_grid_and_survive_the_folder(pretrained, tmp_path):
    image = np.random.default_rng(0).random((2, 32, 48, 3)).astype(np.float32)
    outputs = {name: np.asarray(value) for name, value in pretrained(image, training=False).items()}
    assert {name: value.shape for name, value in outputs.items()} == {
        "probability": (2, 16, 24, 1),
        "distances": (2, 16, 24, 5),
        "foreground": (2, 16, 24, 4),
    }
    save_model(tmp_path, ModelSpec("lite", CONFIG, max_distance=50.0), pretrained)
    _, loaded = load_model(tmp_path)
    for name, value in loaded(image, training=False).items():
        np.testing.assert_array_equal(np.asarray(value), outputs[name])


def test_the_receptive_field_is_that_of_ten_levels_of_blocks():
    geometry = network_geometry(build_network(CONFIG))
    assert geometry.stride == (16, 16)
    assert geometry.grid == (2, 2)
    assert geometry.radius == (166, 166)


def test_imagenet_weights_fill_the_encoder_and_leave_the_decoder(pretrained):
    fresh = build_network(CONFIG)
    before = {layer.name: layer.get_weights() for layer in fresh.layers if layer.weights}
    start_from_imagenet(fresh)
    changed = {
        layer.name
        for layer in fresh.layers
        if layer.weights and any((a != b).any() for a, b in zip(before[layer.name], layer.get_weights(), strict=True))
    }
    encoder = {name for name in before if name.startswith(("stem", "block_"))}
    assert changed == encoder
    assert len(encoder) == 2 * (1 + sum(3 if block.expansion > 1 else 2 for block in BLOCKS))


def test_the_encoder_tells_textures_apart_once_it_has_imagenet_weights(pretrained):
    """Features of stripes along y and along x differ more than those of the same stripes, shifted by a stride."""
    import keras

    features = keras.Model(pretrained.input, pretrained.get_layer("block_8_project_norm").output)
    wave = np.sin(np.arange(96) / 2.0) / 2 + 0.5
    stripes = np.repeat(wave[:, None], 96, 1)
    images = np.stack([np.repeat(part[..., None], 3, 2) for part in (stripes, stripes.T)]).astype(np.float32)
    along, across = np.asarray(features(images, training=False)).mean(axis=(1, 2))
    assert np.abs(along - across).max() > 0.5


def test_without_normalisation_names_stay(pretrained):
    bare = build_network(CONFIG.replace(normalization="none"))
    convolutions = {layer.name for layer in pretrained.layers if layer.weights and not layer.name.endswith("_norm")}
    assert convolutions == {layer.name for layer in bare.layers if layer.weights}


@pytest.mark.parametrize("change", [{"n_channels": 1}, {"grid": (1, 1)}, {"depth": 4}])
def test_other_shapes_are_refused(change):
    with pytest.raises(ConfigError, match="efficientnet_unet: expected n_channels 3"):
        build_network(CONFIG.replace(**change))

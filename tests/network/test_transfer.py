"""Starting from the weights of another network: what fits is taken, the rest said."""

from __future__ import annotations

import numpy as np

from starpoly.config import NetworkConfig
from starpoly.network.architectures.unet import build_unet
from starpoly.network.transfer import transfer_weights

GREY = NetworkConfig(n_rays=6, depth=1, base_filters=4, head_filters=4, foreground_filters=0)


def answer(model, image: np.ndarray) -> np.ndarray:
    return np.asarray(model(image, training=False)["distances"])


def test_the_same_network_takes_everything():
    first, second = build_unet(GREY), build_unet(GREY)
    assert transfer_weights(first, second) == []
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype(np.float32)
    np.testing.assert_array_equal(answer(first, image), answer(second, image))


def test_from_grey_to_colour_an_image_of_equal_channels_looks_the_same():
    first, second = build_unet(GREY), build_unet(GREY.replace(n_channels=3))
    assert transfer_weights(first, second) == []
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(answer(first, image), answer(second, np.repeat(image, 3, axis=3)), atol=1e-5)


def test_from_colour_to_grey_a_grey_image_looks_the_same():
    first, second = build_unet(GREY.replace(n_channels=3)), build_unet(GREY)
    assert transfer_weights(first, second) == []
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(answer(first, np.repeat(image, 3, axis=3)), answer(second, image), atol=1e-5)


def test_layers_that_are_new_or_of_another_shape_start_fresh():
    first, second = build_unet(GREY), build_unet(GREY.replace(n_rays=8, foreground_filters=3, n_classes=2))
    fresh = transfer_weights(first, second)
    assert set(fresh) == {"distance_rays", "foreground_features", "foreground_features_norm", "foreground", "classes"}
    np.testing.assert_array_equal(
        first.get_layer("bottom_0").get_weights()[0], second.get_layer("bottom_0").get_weights()[0]
    )

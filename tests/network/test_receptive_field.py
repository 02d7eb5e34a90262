"""The radius computed from the graph against where outputs do change when a pixel line does."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from starpoly.config import NetworkConfig
from starpoly.errors import ModelError
from starpoly.network.architectures.registry import build_network
from starpoly.network.architectures.stardist_unet import StarDistNetwork, build_stardist_unet
from starpoly.network.receptive_field import network_geometry, receptive_field

NARROW = {
    "base_filters": 1,
    "max_filters": 1,
    "head_filters": 1,
    "n_rays": 3,
    "normalization": "none",
    # softplus would round a small change away
    "distance_activation": "linear",
}
BRANCHES = "branches"
NETWORKS = {
    "default": NetworkConfig(**NARROW, depth=2),
    "grid 1": NetworkConfig(**NARROW, depth=2, grid=(1, 1)),
    "grid 4 2": NetworkConfig(**NARROW, depth=1, grid=(4, 2)),
    "conv stem": NetworkConfig(**NARROW, depth=1, grid=(2, 4), stem="conv"),
    "kernel 5, plain": NetworkConfig(**NARROW, depth=2, kernel_size=5, residual=False, grid=(1, 1)),
    "sub-pixel": NetworkConfig(**NARROW, depth=2, grid=(2, 1), architecture="subpixel_unet"),
    "StarDist": {"depth": 2, "base_filters": 1, "features": 1, "n_rays": 3, "grid": [2, 1], "kernel_size": [3, 5]},
    BRANCHES: None,
}


def build(name):
    config = NETWORKS[name]
    if name == BRANCHES:
        return build_branches()
    return (
        build_network(config)
        if isinstance(config, NetworkConfig)
        else build_stardist_unet(StarDistNetwork.from_dict(config))
    )


def build_branches():
    """Dilation, strides, even kernels, average pooling and bilinear upsampling."""
    image = keras.Input((None, None, 1))
    left = layers.Conv2D(1, 3, dilation_rate=(2, 3), padding="same")(image)
    right = layers.Conv2D(1, (4, 5), strides=2, padding="same")(image)
    right = layers.AveragePooling2D((3, 2), strides=2, padding="same")(right)
    right = layers.UpSampling2D(4, interpolation="bilinear")(right)
    return keras.Model(image, {"probability": layers.Add()([left, right])})


def set_kernels(model, lowest):
    """Random kernels from ``lowest`` to 1; if positive, nothing cancels and poolings let a brighter pixel through."""
    random = np.random.default_rng(4)
    for variable in model.weights:
        size = max(1, int(np.prod(variable.shape[:-1])))
        value = random.uniform(lowest, 1, variable.shape) / size
        variable.assign(value if "kernel" in variable.path else 0 * value)


def measured_footprint(model, axis):
    """Furthest pixel line before and after each output of a stride that changes it when brightened, and the model's own."""
    computed = network_geometry(model).footprints[axis]
    stride, grid = computed.stride, computed.spacing
    length = -(-(2 * computed.radius + 3 * stride) // stride) * stride
    thin = network_geometry(model).stride[1 - axis]
    dark = np.zeros((stride, length, thin, 1), np.float32)
    lines = length // 2 // stride * stride + np.arange(stride)
    dark[np.arange(stride), lines] = 1e4
    images = np.concatenate([np.zeros_like(dark[:1]), dark])
    if axis == 1:
        images = images.swapaxes(1, 2)
    outputs = model(images, training=False)
    output = np.asarray(outputs.get("distances", outputs["probability"]))
    if axis == 1:
        output = output.swapaxes(1, 2)
    case, position = np.nonzero((output[1:] != output[:1]).any(axis=(2, 3)))
    back, phase = position * grid - lines[case], position % (stride // grid)
    before, after = ([max(sign * back[phase == p]) for p in range(stride // grid)] for sign in (1, -1))
    return (before, after), (list(computed.before), list(computed.after))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", NETWORKS)
def test_reach_of_each_output_is_exact_where_no_weight_vanishes(name, axis):
    model = build(name)
    set_kernels(model, lowest=0.5)
    measured, computed = measured_footprint(model, axis)
    assert measured == computed


@pytest.mark.parametrize("name", NETWORKS)
def test_random_weights_stay_within(name):
    model = build(name)
    set_kernels(model, lowest=-0.4)
    measured, computed = measured_footprint(model, 0)
    for seen, bound in zip(measured, computed, strict=True):
        assert all(have <= most for have, most in zip(seen, bound, strict=True))


def test_known_radii():
    image = keras.Input((None, None, 1))
    one = keras.Model(image, layers.Conv2D(1, (3, 7), padding="same")(image))
    assert receptive_field(one) == (1, 3)
    dilated = keras.Model(image, layers.Conv2D(1, 3, dilation_rate=4, padding="same")(image))
    assert receptive_field(dilated) == (4, 4)


def test_transposed_convolutions_that_overlap_are_refused():
    image = keras.Input((None, None, 1))
    coarse = layers.MaxPooling2D(2)(image)
    with pytest.raises(ModelError, match=r"expected a transposed convolution of kernel 2, its stride, .* got 3"):
        receptive_field(keras.Model(image, layers.Conv2DTranspose(1, 3, strides=2, padding="same")(coarse)))


def test_what_sees_the_whole_window_is_refused():
    image = keras.Input((None, None, 4))
    with pytest.raises(ModelError, match="cannot be run in tiles"):
        receptive_field(keras.Model(image, layers.GroupNormalization(2)(image)))


def test_unpadded_convolutions_are_refused():
    image = keras.Input((None, None, 1))
    with pytest.raises(ModelError, match="padding"):
        receptive_field(keras.Model(image, layers.Conv2D(1, 3)(image)))

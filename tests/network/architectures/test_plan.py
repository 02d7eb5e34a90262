"""What is said of a network before it is built is true of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from starpoly.config import NetworkConfig
from starpoly.network.architectures.registry import ARCHITECTURES, build_network
from starpoly.network.footprint import Footprint
from starpoly.network.receptive_field import network_geometry

TINY = {"depth": 1, "base_filters": 2, "max_filters": 5, "head_filters": 4, "n_rays": 5, "foreground_filters": 3}
SUBPIXEL = {**TINY, "architecture": "subpixel_unet", "depth": 2}
ENCODER = {**TINY, "architecture": "efficientnet_unet", "n_channels": 3, "depth": 3}


def stardist(**settings):
    settings = {"depth": 2, "base_filters": 3, "n_rays": 5, "features": 4, **settings}
    return NetworkConfig(architecture="stardist_unet", settings=settings)


NETWORKS = {
    "plain": NetworkConfig(**TINY),
    "deep": NetworkConfig(**TINY | {"depth": 3, "grid": (1, 2)}),
    "conv stem": NetworkConfig(**TINY, grid=(4, 2), stem="conv", n_channels=3),
    "conv stem without a grid": NetworkConfig(**TINY, grid=(1, 1), stem="conv"),
    "bare": NetworkConfig(**TINY | {"head_filters": 0, "foreground_filters": 0}, normalization="none", residual=False),
    "classes": NetworkConfig(**TINY, n_classes=2, kernel_size=5, convolutions_per_level=3),
    "one convolution": NetworkConfig(**TINY, kernel_size=1, convolutions_per_level=1),
    "encoder": NetworkConfig(**ENCODER, n_classes=2),
    "bare encoder": NetworkConfig(**ENCODER | {"head_filters": 0}, normalization="none", convolutions_per_level=1),
    "sub-pixel": NetworkConfig(**SUBPIXEL),
    "sub-pixel, deep, classes": NetworkConfig(
        **SUBPIXEL | {"depth": 3, "head_filters": 0}, n_classes=2, n_channels=3, grid=(1, 2)
    ),
    "bare sub-pixel": NetworkConfig(**SUBPIXEL, normalization="none", convolutions_per_level=3, residual=False),
    "stardist": stardist(),
    "stardist, batch norm": stardist(batch_norm=True, grid=(2, 4), n_classes=2, n_channels=3),
    "stardist, bare": stardist(features=0, convolutions_per_level=1, kernel_size=(3, 5), pool=(2, 4)),
    "stardist, even": stardist(kernel_size=(2, 4), convolutions_per_level=3, expansion=1.5),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_number_of_weights_stride_and_reach(name):
    network = NETWORKS[name]
    architecture = ARCHITECTURES[network.architecture]
    plan = architecture.plan(architecture.config_of(network))
    model = build_network(network)
    geometry = network_geometry(model)
    assert plan.n_weights == model.count_params()
    assert plan.fits(geometry)
    for axis in ("y", "x"):
        footprint = getattr(geometry, axis)
        blind = Footprint.of_radius(0, footprint.stride, footprint.spacing)
        assert not plan.fits(replace(geometry, **{axis: blind})) or plan.extent == (0, 0)
        other = Footprint.of_radius(footprint.radius, 8 * footprint.stride, 8 * footprint.spacing)
        assert not plan.fits(replace(geometry, **{axis: other}))

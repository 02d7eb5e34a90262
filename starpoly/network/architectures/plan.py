"""What a config implies before any layer is built: number of weights, stride and reach.

A description is untrusted: its network is built only if the weights file holds exactly as many numbers, and a frozen graph
from the cache is used only if it has this geometry.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...config import NetworkConfig
from ..engines.frozen_graph import NetworkGeometry
from ..footprint import Footprint
from ..heads.registry import heads_of

_BATCH_NORM = 4
"""Weights of a batch normalisation per channel: gamma, beta, mean and variance."""


@dataclass(frozen=True)
class NetworkPlan:
    """What a network will be.

    Attributes
    ----------
    n_weights : int
        Numbers in its weights file.
    stride, grid : (int, int)
        Total stride and output spacing, in pixels (y, x).
    extent : (int, int)
        Pixels, beside itself, that the convolutions let an output see along y and x. Poolings and upsampling add less
        than some strides.
    """

    n_weights: int
    stride: tuple[int, int]
    grid: tuple[int, int]
    extent: tuple[int, int]

    def fits(self, geometry: NetworkGeometry) -> bool:
        """Whether a network of this plan may have a geometry: outputs that see less than their extent would miss pixels."""
        axes = zip(geometry.footprints, self.extent, self.stride, strict=True)
        return (geometry.stride, geometry.grid) == (self.stride, self.grid) and all(
            extent // 2 <= footprint.radius <= extent + 4 * stride and _least_seen(footprint) >= extent - stride
            for footprint, extent, stride in axes
        )


def _least_seen(footprint: Footprint) -> int:
    """Pixels, beside itself, of the output that sees least."""
    return min(sum(sides) for sides in zip(footprint.before, footprint.after, strict=True))


def convolution_weights(config: NetworkConfig, before: int, filters: int) -> int:
    """Weights of :func:`starpoly.network.architectures.unet.convolution`."""
    per_filter = _BATCH_NORM if config.normalization == "batch" else 1
    return (config.kernel_size**2 * before + per_filter) * filters


def with_bias(before: int, filters: int, kernel: tuple[int, int] = (1, 1), *, batch_norm: bool = False) -> int:
    """Weights of a convolution with bias, and of its batch normalisation if it has one."""
    return (kernel[0] * kernel[1] * before + 1 + _BATCH_NORM * batch_norm) * filters


def head_weights(config: NetworkConfig, decoded: int) -> int:
    """Weights of the layer that heads share, and of the heads."""
    shared, features = decoded, 0
    if config.head_filters:
        shared, features = config.head_filters, convolution_weights(config, decoded, config.head_filters)
    return features + sum(head.n_weights(decoded, shared, config) for head in heads_of(config))

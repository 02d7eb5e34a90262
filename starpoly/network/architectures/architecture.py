"""Interface of an architecture: settings, builder and memory estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import Config, NetworkConfig
from ...errors import ConfigError, ModelError
from .plan import NetworkPlan

if TYPE_CHECKING:
    import keras

#: Number of first-level tensors alive at a time (measured).
ALIVE = 6


@dataclass(frozen=True)
class Architecture:
    """A family of networks. Its module imports Keras inside functions: prediction often runs without it.

    Parameters
    ----------
    config : type of Config
        Argument of ``build`` and ``bytes_per_pixel``: :class:`~starpoly.NetworkConfig`, or the architecture's own
        class, read from ``NetworkConfig.settings``.
    plan : callable
        What a config implies before anything is built, as a :class:`~starpoly.network.architectures.plan.NetworkPlan`.
    build : callable
        Builds a Keras model with fresh weights from a config. Output names are those of :mod:`starpoly.network.heads`.
    bytes_per_pixel : callable
        Memory per pixel of a window in bytes, from a config and "float32" or "bfloat16".
    auto_bfloat16 : bool
        Whether precision "auto" may choose bfloat16.
    without_normalization : callable, optional
        Maps a ``NetworkConfig`` to the same network without batch normalisation. Prediction in bfloat16 folds it into
        the convolutions. Layer names stay the same; the normalisation of layer ``x`` is named ``x_norm``.
    pretrain : callable, optional
        Gives a fresh model the weights that come with the architecture, where training starts from nothing else.
    """

    config: type[Config]
    plan: Callable[[Any], NetworkPlan]
    build: Callable[[Any], keras.Model]
    bytes_per_pixel: Callable[[Any, str], float]
    auto_bfloat16: bool = True
    without_normalization: Callable[[NetworkConfig], NetworkConfig] | None = None
    pretrain: Callable[[keras.Model], None] | None = None

    def config_of(self, network: NetworkConfig) -> Any:
        """The architecture's config for ``network``.

        Raises
        ------
        ModelError
            If the settings do not belong to this architecture.
        """
        if self.config is NetworkConfig:
            return network
        try:
            return self.config.from_dict(network.settings)
        except ConfigError as error:
            raise ModelError(f"not a network of the architecture {network.architecture}: {error}") from error


def grid_bytes_per_pixel(width: float, config: NetworkConfig, precision: str) -> float:
    """:func:`unet_bytes_per_pixel` of a network whose outputs lie on its grid."""
    outputs = (config.n_rays + 1 + config.n_classes) / (config.grid[0] * config.grid[1])
    return unet_bytes_per_pixel(width=width, n_channels=config.n_channels, outputs=outputs, precision=precision)


def unet_bytes_per_pixel(*, width: float, n_channels: int, outputs: float, precision: str) -> float:
    """Memory of a U-Net per pixel of a window, in bytes.

    Parameters
    ----------
    width : float
        First-level filters per image pixel; these tensors are the largest.
    n_channels : int
        Channels of the image.
    outputs : float
        Output values per image pixel.
    precision : {"float32", "bfloat16", "int8"}
    """
    inner = 2.0 if precision == "bfloat16" else 4.0
    return inner * ALIVE * width + 4.0 * (n_channels + 3 * outputs)  # three copies of the output exist at a time

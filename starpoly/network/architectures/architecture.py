"""What an architecture is: settings, a builder, and the memory that its networks take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import Config, NetworkConfig
from ...errors import ConfigError, ModelError

if TYPE_CHECKING:
    import keras

#: Tensors of the first level's width that are alive at a time (measured).
_ALIVE = 6


@dataclass(frozen=True)
class Architecture:
    """A family of networks. Its module imports Keras inside functions, as prediction often does without it.

    Parameters
    ----------
    config : type of Config
        What ``build`` and ``bytes_per_pixel`` take: :class:`~starpoly.NetworkConfig` itself, or a class of the
        architecture's own, read from ``NetworkConfig.settings``.
    build : callable
        A config to a Keras model with fresh weights. Its outputs are named as :mod:`starpoly.network.heads`.
    bytes_per_pixel : callable
        A config and "float32" or "bfloat16" to the bytes that a network takes per pixel of a window.
    auto_bfloat16 : bool
        Whether the precision "auto" may mean bfloat16.
    without_normalization : callable, optional
        A ``NetworkConfig`` to that of the same network without batch normalisation, which prediction in bfloat16 folds
        into the convolutions. Layers keep their names; the normalisation of layer ``x`` is named ``x_norm``.
    """

    config: type[Config]
    build: Callable[[Any], keras.Model]
    bytes_per_pixel: Callable[[Any, str], float]
    auto_bfloat16: bool = True
    without_normalization: Callable[[NetworkConfig], NetworkConfig] | None = None

    def config_of(self, network: NetworkConfig) -> Any:
        """The config from which this architecture builds ``network``.

        Raises
        ------
        ModelError
            If the settings are not those of this architecture.
        """
        if self.config is NetworkConfig:
            return network
        try:
            return self.config.from_dict(network.settings)
        except ConfigError as error:
            raise ModelError(f"not a network of the architecture {network.architecture}: {error}") from error


def unet_bytes_per_pixel(*, width: float, n_channels: int, outputs: float, precision: str) -> float:
    """Bytes that a U-Net takes per pixel of a window.

    Parameters
    ----------
    width : float
        Filters of the first level per pixel of the image; its tensors are the widest.
    n_channels : int
        Of the image.
    outputs : float
        Values that the network answers per pixel of the image.
    precision : {"float32", "bfloat16"}
    """
    inner = 2.0 if precision == "bfloat16" else 4.0
    return inner * _ALIVE * width + 4.0 * (n_channels + 3 * outputs)  # the answer exists thrice on its way out

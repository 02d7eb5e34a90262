"""Registry of architectures, and the network builder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...config import NetworkConfig
from ...errors import ConfigError
from ..keras_settings import own_settings
from ..quiet import quiet_import
from ..registry import Registry
from .architecture import Architecture

if TYPE_CHECKING:
    import keras

#: Each architecture is one module and one line here.
ARCHITECTURES: Registry[Architecture] = Registry(
    "architecture",
    {
        "unet": f"{__package__}.unet:UNET",
        "efficientnet_unet": f"{__package__}.efficientnet_unet:EFFICIENTNET_UNET",
        "subpixel_unet": f"{__package__}.subpixel_unet:SUBPIXEL_UNET",
        "stardist_unet": f"{__package__}.stardist_unet:STARDIST_UNET",
    },
)

#: A hundred times those of the largest shipped model. A slip in a settings file asks for more than any memory.
MOST_WEIGHTS = 1 << 29


def build_network(network: NetworkConfig, policy: str = "float32") -> keras.Model:
    """Build a network with fresh weights.

    Parameters
    ----------
    network : NetworkConfig
    policy : {"float32", "mixed_bfloat16"}
        Keras dtype policy; overrides the global one.

    Returns
    -------
    keras.Model
        Takes float32 (batch, height, width, n_channels). Returns a dict of float32 arrays on the grid, see
        ``starpoly.network.heads``.

    Raises
    ------
    ConfigError
        If the architecture is unknown, or the network has more than :data:`MOST_WEIGHTS`.
    ModelError
        If the architecture does not accept the settings.
    """
    architecture = ARCHITECTURES[network.architecture]
    config = architecture.config_of(network)
    n_weights = architecture.plan(config).n_weights
    if n_weights > MOST_WEIGHTS:
        raise ConfigError(f"network: expected at most {MOST_WEIGHTS} weights, got {n_weights}; take fewer filters")
    quiet_import()
    with own_settings(policy):
        return architecture.build(config)

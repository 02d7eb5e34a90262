"""All heads by name, and those of a network."""

from __future__ import annotations

from ...config import NetworkConfig
from ..registry import Registry
from .head import Head

#: A head is one module here and one line. The order is that in which layers are made, and draw their first weights.
HEADS: Registry[Head] = Registry(
    "head",
    {
        "probability": f"{__package__}.probability:PROBABILITY",
        "distances": f"{__package__}.distances:DISTANCES",
        "classes": f"{__package__}.classes:CLASSES",
        "foreground": f"{__package__}.foreground:FOREGROUND",
    },
)


def heads_of(network: NetworkConfig) -> list[Head]:
    """The heads that a network has.

    Raises
    ------
    ConfigError
        If ``network.more_heads`` names one that there is not.
    """
    named = [HEADS[name] for name in network.more_heads]
    return [head for head in HEADS.values() if head in named or head.channels(network)]

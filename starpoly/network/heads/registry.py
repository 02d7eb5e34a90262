"""Registry of heads, and the heads of a network."""

from __future__ import annotations

from ...config import NetworkConfig
from ..registry import Registry
from .head import Head

#: Each head is one module and one line here. The order fixes layer creation and initial random weights.
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
    """The heads of a network.

    Raises
    ------
    ConfigError
        If ``network.more_heads`` names an unknown head.
    """
    named = [HEADS[name] for name in network.more_heads]
    return [head for head in HEADS.values() if head in named or head.channels(network)]

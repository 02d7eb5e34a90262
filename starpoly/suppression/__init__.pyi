from .greedy import suppress
from .streaming import StreamingNMS

__all__ = [
    "StreamingNMS",
    "suppress",
]

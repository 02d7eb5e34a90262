from .lazy import LazyLabels
from .measurements import measure

__all__ = [
    "LazyLabels",
    "measure",
]

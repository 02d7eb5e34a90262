from .expansion import expand_labels
from .lazy import LazyLabels
from .measurements import measure

__all__ = [
    "LazyLabels",
    "expand_labels",
    "measure",
]

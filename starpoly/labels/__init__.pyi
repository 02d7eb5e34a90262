from .lazy import LazyLabels
from .linking import link_objects
from .measurements import measure

__all__ = [
    "LazyLabels",
    "link_objects",
    "measure",
]

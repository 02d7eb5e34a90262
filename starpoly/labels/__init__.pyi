from .lazy import LazyLabels
from .measurements import measure
from .object_table import measure_objects

__all__ = [
    "LazyLabels",
    "measure",
    "measure_objects",
]

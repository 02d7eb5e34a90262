from .expansion import expand_labels
from .lazy import LazyLabels
from .measurements import measure
from .object_table import measure_objects

__all__ = [
    "LazyLabels",
    "expand_labels",
    "measure",
    "measure_objects",
]

from .expansion import expand_labels
from .lazy import LazyLabels
from .linking import link_objects
from .measurements import measure
from .object_table import measure_objects

__all__ = [
    "LazyLabels",
    "expand_labels",
    "link_objects",
    "measure",
    "measure_objects",
]

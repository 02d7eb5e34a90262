from .distances import ray_distances
from .label_expansion import expand_labels
from .rasterize import render_labels

__all__ = [
    "expand_labels",
    "ray_distances",
    "render_labels",
]

"""Readers, by the path that scripts for early versions name; :mod:`starpoly.io` has everything."""

from .readers.images import read_image
from .readers.labels import read_labels

__all__ = ["read_image", "read_labels"]

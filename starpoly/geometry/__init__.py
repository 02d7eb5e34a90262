"""Geometry of star-convex polygons: distances to boundaries, drawing, overlaps. numpy outside, numba kernels inside."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

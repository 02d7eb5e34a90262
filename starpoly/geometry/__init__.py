"""Geometry of star-convex polygons: numpy outside, numba kernels inside."""

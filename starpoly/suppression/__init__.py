"""Non-maximum suppression of star-convex polygons, at once or region by region; the results are equal."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

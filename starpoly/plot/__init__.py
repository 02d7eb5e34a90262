"""Plots of data and results. Every function draws on given matplotlib axes.

No function opens a window or changes matplotlib's global state. :func:`save_figure` writes a PNG without a display.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

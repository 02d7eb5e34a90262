"""Pictures of data and results: every function draws on matplotlib axes that it is handed.

None of them opens a window or touches matplotlib's global state; :func:`save_figure` writes a picture
without a display.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

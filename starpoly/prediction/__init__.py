"""Prediction from image files to result files, for crops and whole slides.

:func:`segment_slide` runs a model on an image of any size and writes :class:`SlideOutputs`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

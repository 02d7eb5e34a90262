"""Training: data, targets, the loop, thresholds and calibration.

:func:`run_training` runs all of it; :meth:`starpoly.StarPoly2D.train` is the short form for arrays.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

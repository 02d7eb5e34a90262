"""Detection in one image: tiles, network, candidates, non-maximum suppression.

:class:`DetectionOptions` says how, :class:`Detector` does it, :class:`Detection` is the result.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

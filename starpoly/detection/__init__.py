"""Detection in one image: tiles, network, candidates, non-maximum suppression.

:class:`Detector` takes :class:`DetectionOptions` and returns a :class:`Detection`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

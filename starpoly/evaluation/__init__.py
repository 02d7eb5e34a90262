"""Scores: how well labels agree with the true ones.

The measures are those of StarDist and of the NeurIPS 2022 challenge, to the same numbers.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

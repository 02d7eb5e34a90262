"""Score predicted labels against true ones.

The measures equal those of StarDist and of the NeurIPS 2022 challenge.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

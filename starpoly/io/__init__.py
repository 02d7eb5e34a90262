"""Files: images and labels are read, labels, outlines and tables are written."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

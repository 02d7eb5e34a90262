"""Rendered images: label maps drawn as many microscopes would show them, to train on.

A *shape* makes a label map, a *look* turns it into light, a camera into pixels; a *kind* pairs looks with the shapes that suit them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""The network: architectures, heads, storage and engines. Building a network imports Keras."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

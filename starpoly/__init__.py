"""Star-convex cell detection: train, predict, evaluate.

``import starpoly`` is cheap: the public names below are loaded when they are first used, so that
neither Keras nor numba is imported before something needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .config import ModelSpec, NetworkConfig, TrainingConfig
    from .errors import StarpolyError, StarpolyWarning
    from .evaluation.metrics import matching
    from .io.readers.images import read_image
    from .model import StarPoly2D
    from .polygons import StarPolygons

# public name -> module that defines it
_HOMES = {
    "ModelSpec": "config",
    "NetworkConfig": "config",
    "StarPoly2D": "model",
    "StarPolygons": "polygons",
    "StarpolyError": "errors",
    "StarpolyWarning": "errors",
    "TrainingConfig": "config",
    "matching": "evaluation.matching",
    "read_image": "io.readers.images",
}

__all__ = [
    "ModelSpec",
    "NetworkConfig",
    "StarPoly2D",
    "StarPolygons",
    "StarpolyError",
    "StarpolyWarning",
    "TrainingConfig",
    "__version__",
    "matching",
    "read_image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # the next access no longer comes here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

from .axes import to_yxc
from .normalization import Normalizer, fit_normalizer

__all__ = [
    "Normalizer",
    "fit_normalizer",
    "to_yxc",
]

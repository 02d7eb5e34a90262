from .architectures.registry import build_network
from .dense_output import DenseOutput
from .predictor import Predictor
from .storage.folder import load_model, load_spec, save_model

__all__ = [
    "DenseOutput",
    "Predictor",
    "build_network",
    "load_model",
    "load_spec",
    "save_model",
]

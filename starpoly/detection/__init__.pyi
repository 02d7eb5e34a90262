from .detector import Detector
from .options import DetectionOptions
from .pipeline import Detection

__all__ = [
    "Detection",
    "DetectionOptions",
    "Detector",
]

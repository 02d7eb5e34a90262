from .details import Details
from .detector import Detector
from .options import DetectionOptions
from .pipeline import Detection

__all__ = [
    "Details",
    "Detection",
    "DetectionOptions",
    "Detector",
]

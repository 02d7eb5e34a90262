from .details import Details
from .detector import Detector
from .look import Finding, Look, View, look_at
from .options import DetectionOptions
from .pipeline import Detection

__all__ = [
    "Details",
    "Detection",
    "DetectionOptions",
    "Detector",
    "Finding",
    "Look",
    "View",
    "look_at",
]

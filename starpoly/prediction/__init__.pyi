from .formats import SlideOutputs
from .model_choice import suitable_model
from .part import ImagePart
from .slide import SlideResult, segment_slide

__all__ = [
    "ImagePart",
    "SlideOutputs",
    "SlideResult",
    "segment_slide",
    "suitable_model",
]

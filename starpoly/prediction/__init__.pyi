from .formats import SlideOutputs
from .model_choice import suitable_model
from .part import ImagePart
from .slide import segment_slide
from .slide_result import SlideResult

__all__ = [
    "ImagePart",
    "SlideOutputs",
    "SlideResult",
    "segment_slide",
    "suitable_model",
]

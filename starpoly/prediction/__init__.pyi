from .choice import choose_model
from .formats import SlideOutputs
from .models import Choice
from .part import ImagePart
from .slide import segment_slide
from .slide_result import SlideResult

__all__ = [
    "Choice",
    "ImagePart",
    "SlideOutputs",
    "SlideResult",
    "choose_model",
    "segment_slide",
]

"""Choose a shipped model for an image in Python, as ``starpoly predict`` does."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..detection.detector import Detector
from ..io.readers.array import ArraySource
from ..io.readers.given import as_image
from ..io.readers.source import Source
from ..model_zoo import find_model
from .models import Choice, Models
from .request import PredictionRequest


def choose_model(image: Any, model: str | None = None) -> Choice:
    """The model, channels and scale that explain an image best.

    Each hypothesis segments the middle of the image; the one whose objects explain most of it wins, weighted by their
    calibrated confidence.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array-like, path or Source
    model : str, optional
        Name or folder of the only model to try. Default: the shipped ones.

    Returns
    -------
    Choice
        ``choice.model.detect(image, look=choice.look)`` and ``choice.predict_instances(image)`` take all of it.

    Raises
    ------
    ImageError, ModelError
        If the image cannot be read, or no model supports it.
    """
    found = as_image(image)
    source = found if isinstance(found, Source) else ArraySource(found)
    if model is not None:
        find_model(model)  # what is no name or folder is refused
    return _models(model).choose(source, PredictionRequest())


@lru_cache(maxsize=2)
def _models(asked: str | None) -> Models:
    return Models(asked, Detector.from_pretrained)

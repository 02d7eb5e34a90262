"""Which of the shipped models suits an image that nobody has said a model for.

Fluorescence is told by its ground: most of the image is nearly as dark as its darkest pixels, while in stained tissue, brightfield
and phase contrast the commonest level lies in the middle or near the top. There is a model that knows nuclei in fluorescence
and nothing else, and is better at them; all else goes to the model of many kinds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.sample import middle
from ..model_zoo import default_model, fluorescence_model

#: The commonest level of a dark ground lies below this, with 0 and 1 where an image is normalised to them.
DARK = 0.175
_BINS = 20


def background_level(image: NDArray) -> float:
    """The commonest level of an image, 0 being its 1st and 1 its 99.8th percentile.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Channels are averaged.

    Returns
    -------
    float
        From 0 to 1, as the middle of one of 20 bins; 0 for a constant image.
    """
    pixels = image if image.ndim == 2 else image.mean(axis=2, dtype=np.float64)
    finite = pixels[np.isfinite(pixels)]
    low, high = np.percentile(finite, (1, 99.8)) if finite.size else (0.0, 0.0)
    if not high > low:
        return 0.0
    counts = np.histogram(np.clip(finite, low, high), _BINS, (low, high))[0]
    return (int(counts.argmax()) + 0.5) / _BINS


def has_dark_background(image: Any) -> bool:
    """Whether an image shows bright objects on a dark ground, as fluorescence does.

    Parameters
    ----------
    image : array-like (Y, X) or (Y, X, C)
        Anything with ``shape`` and slicing; its middle alone is read.
    """
    return background_level(np.asarray(image[middle(image.shape[:2]).slices])) < DARK


def suitable_model(image: Any) -> str:
    """Name of the shipped model for an image.

    Parameters
    ----------
    image : array-like (Y, X) or (Y, X, C)
        As for ``has_dark_background``.

    Examples
    --------
    >>> model = StarPoly2D.from_pretrained(suitable_model(image))  # doctest: +SKIP
    """
    return fluorescence_model() if has_dark_background(image) else default_model()

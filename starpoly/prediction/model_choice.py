"""Choose a shipped model for an image if the user named none.

In fluorescence, most of the image is nearly as dark as its darkest pixels. In stained tissue, brightfield and phase
contrast, the commonest level lies in the middle or near the top. A specialised model segments fluorescent nuclei
better; all other images go to the general model. An image of several channels, one of which is named after a stain of
nuclei, is fluorescence, whatever the other channels look like.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.channels import the_nuclei
from ..images.sample import middle
from ..model_zoo import default_model, fluorescence_model

#: Upper bound of the commonest level of a dark background, on the normalised scale from 0 to 1.
DARK = 0.175
_BINS = 20


def background_level(image: NDArray) -> float:
    """The commonest intensity level; 0 is the 1st percentile and 1 the 99.8th.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Channels are averaged.

    Returns
    -------
    float
        Centre of one of 20 bins from 0 to 1; 0 for a constant image.
    """
    pixels = image if image.ndim == 2 else image.mean(axis=2, dtype=np.float64)
    finite = pixels[np.isfinite(pixels)]
    low, high = np.percentile(finite, (1, 99.8)) if finite.size else (0.0, 0.0)
    if not high > low:
        return 0.0
    counts = np.histogram(np.clip(finite, low, high), _BINS, (low, high))[0]
    return (int(counts.argmax()) + 0.5) / _BINS


def has_dark_background(image: Any) -> bool:
    """Whether an image shows bright objects on a dark background, as in fluorescence.

    Parameters
    ----------
    image : array-like (Y, X) or (Y, X, C)
        Anything with ``shape`` and slicing. Only the middle is read.
    """
    return background_level(np.asarray(image[middle(image.shape[:2]).slices])) < DARK


def explain_model(image: Any) -> tuple[str, str, int]:
    """The shipped model for an image, why, and how many channels it takes.

    Parameters
    ----------
    image : array-like (Y, X) or (Y, X, C)
        As for ``has_dark_background``.
    """
    from ..model_zoo import find_model
    from ..network.storage.folder import load_spec

    name, nuclei = suitable_model(image, by_name=True), named_nuclei(image)
    if nuclei is not None:
        reason = f"{nuclei} is a stain of nuclei by its name"
    elif name == fluorescence_model():
        reason = "the background is dark, as in fluorescence"
    else:
        reason = "the background is not dark, unlike in fluorescence"
    return name, reason, load_spec(find_model(name)).network.n_channels


def suitable_model(image: Any, *, by_name: bool = False) -> str:
    """Name of the shipped model for an image.

    Parameters
    ----------
    image : array-like (Y, X) or (Y, X, C)
        As for ``has_dark_background``.
    by_name : bool
        Whether a channel that is named after a stain of nuclei decides, if it is the only one among several channels.

    Examples
    --------
    >>> model = StarPoly2D.from_pretrained(suitable_model(image))  # doctest: +SKIP
    """
    if by_name and named_nuclei(image) is not None:
        return fluorescence_model()
    return fluorescence_model() if has_dark_background(image) else default_model()


def named_nuclei(image: Any) -> str | None:
    """Name of the channel that is named after a stain of nuclei, if it is the only such among several.

    Parameters
    ----------
    image : Source or array-like
        Arrays name no channels.
    """
    names = getattr(image, "channel_names", ())
    nuclei = the_nuclei(names) if len(names) > 1 else None
    return None if nuclei is None else names[nuclei]

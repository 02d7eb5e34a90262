"""Warnings about a result that looks wrong."""

from __future__ import annotations

from ..config import ModelSpec
from ..errors import warn
from .pipeline import Detection
from .sizes import UNUSUAL_SIZE, typical_diameter


def warn_of_result(
    found: Detection, spec: ModelSpec, threshold: float, min_confidence: float | None, n_dropped: int
) -> None:
    """Warn if nothing was found, or objects of a size that the model does not know.

    Parameters
    ----------
    found : Detection
    spec : ModelSpec
        Of the model that found it.
    threshold : float
        Least probability of an object.
    min_confidence : float, optional
        Least confidence of an object.
    n_dropped : int
        Number of objects of a lower confidence.
    """
    if not len(found.polygons):
        if n_dropped:
            message = (
                f"no objects with a confidence of at least {min_confidence:g}; {n_dropped} have a lower one; "
                "lower min_confidence (--min-confidence)"
            )
        else:
            message = (
                f"no objects found above a probability of {threshold:.2f}; "
                "is this the kind of image that the model was trained for?"
            )
        warn(message, stacklevel=4)
        return
    sizes = spec.sizes
    known = sizes.target or spec.object_diameter[1]
    smallest, largest = (sizes.smallest, sizes.largest) if sizes.target else (known, known)
    typical = found.scale * typical_diameter(found.polygons)
    if known and not min(smallest, known / UNUSUAL_SIZE) <= typical <= max(largest, known * UNUSUAL_SIZE):
        warn(
            f"the median object is {typical:.0f} px wide at {found.scale:.2g} times the image's size, those that the model knows "
            f"{known:.0f} px; say how wide objects are (diameter) or choose the scale",
            stacklevel=4,
        )

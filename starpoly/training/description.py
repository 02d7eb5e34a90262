"""Model description before training: object sizes, bound on distances, provenance."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from .._version import __version__
from ..config import ModelSpec, NetworkConfig, NormalizationConfig, SizeRange, TrainingConfig
from .data import DataSummary
from .inputs import TrainingInputs

#: Margin factor of the distance bound over the largest training object.
_DISTANCE_ROOM = 1.25
#: Bound as a multiple of the largest median diameter, if images are rescaled to a common object size.
_DISTANCE_BY_SIZE = 2.5


def describe(
    name: str,
    data: TrainingInputs,
    summary: DataSummary,
    *,
    network: NetworkConfig,
    training: TrainingConfig,
    normalization: NormalizationConfig,
    start: ModelSpec | None = None,
) -> ModelSpec:
    """Describe a model before training.

    Parameters
    ----------
    name : str
        Name of the model.
    data : TrainingInputs
    summary : DataSummary
        Summary of the training images.
    network, training, normalization : configs
    start : ModelSpec, optional
        Spec of the initial model.
    """
    low, median, high = np.percentile(summary.diameters, (5, 50, 95)).round(2)
    return ModelSpec(
        name=name,
        network=network,
        normalization=normalization,
        max_distance=longest_distance(summary, start, training.sizes),
        object_diameter=(float(low), float(median), float(high)),
        class_names=data.class_names or (start.class_names if start else ()),
        licence=data.licence,
        ray_context=training.ray_context,
        sizes=training.sizes,
        training=_provenance(data, summary, training, start),
    )


def _provenance(
    data: TrainingInputs, summary: DataSummary, training: TrainingConfig, start: ModelSpec | None
) -> dict[str, Any]:
    settings = training.to_dict()
    if not data.unlabelled:
        settings.pop("unlabelled")
    return {
        "starpoly": __version__,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "initial_model": start.name if start else "",
        "images": len(data.training),
        "objects": int(summary.n_objects.sum()),
        "validation_images": len(data.validation),
        "settings": settings,
    }


def longest_distance(summary: DataSummary, start: ModelSpec | None, sizes: SizeRange) -> float:
    """Upper bound of predicted distances, in pixels.

    Tile halos and the reach of candidates grow with it. If images are rescaled to a common object size, single huge
    objects do not raise it: that would slow everything down.
    """
    longest = max(float(np.ceil(_DISTANCE_ROOM * summary.longest)), start.max_distance if start else 0.0)
    return min(longest, float(np.ceil(_DISTANCE_BY_SIZE * sizes.largest))) if sizes.target else longest

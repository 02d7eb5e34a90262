"""What a training knows of its model before the first step: sizes of objects, bound on distances, provenance."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from .._version import __version__
from ..config import ModelSpec, NetworkConfig, NormalizationConfig, SizeRange, TrainingConfig
from .data import DataSummary
from .inputs import TrainingInputs

#: Room above the largest object met in training, for the bound on predicted distances.
_DISTANCE_ROOM = 1.25
#: Where images are rescaled to a size, the bound is this many times the largest median diameter.
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
    """The description of a model that is about to be trained.

    Parameters
    ----------
    name : str
        Of the model.
    data : TrainingInputs
    summary : DataSummary
        Of the training images.
    network, training, normalization : configs
    start : ModelSpec, optional
        Of the initial model.
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
    """The bound on predicted distances, in pixels.

    The halo of tiles and the reach of candidates grow with it. Where images are rescaled to a size, one object far larger
    than its neighbours is no reason to slow everything down.
    """
    longest = max(float(np.ceil(_DISTANCE_ROOM * summary.longest)), start.max_distance if start else 0.0)
    return min(longest, float(np.ceil(_DISTANCE_BY_SIZE * sizes.largest))) if sizes.target else longest

"""Settings that a resumed training must share with its checkpoint."""

from __future__ import annotations

import json
from typing import Any

from ..config import AugmentConfig, NetworkConfig, TrainingConfig
from .inputs import TrainingInputs
from .unlabelled import labelling_epochs

#: Names that settings had in earlier checkpoints, and have now.
_NEW_NAMES = {"kinds": "groups", "kind_balance": "group_balance"}

#: Settings that earlier checkpoints may lack.
_ADDED = ("rendered",)
_ADDED_TO_AUGMENT = ("stain", "shuffle", "drop", "grey", "distract", "sharpen", "shot", "light", "jpeg")


def settings_of(network: NetworkConfig, training: TrainingConfig, data: TrainingInputs) -> dict[str, Any]:
    """The relevant settings, as JSON types."""
    labelled = training.to_dict()
    settings = {
        "network": network.to_dict(),
        "training": labelled,
        "images": [pair.name for pair in data.training],
    }
    groups = [pair.group for pair in data.training]
    if any(groups):
        settings["groups"] = groups
    of_unlabelled = labelled.pop("unlabelled")
    if data.unlabelled:
        settings["unlabelled"] = {**of_unlabelled, "images": [image.name for image in data.unlabelled]}
    return json.loads(json.dumps(settings))


def changed_settings(state: dict[str, Any], settings: dict[str, Any], training: TrainingConfig) -> list[str]:
    """Names of the settings that differ from those of a checkpoint.

    Unlabelled images may change until their first labelling.
    """
    before = _renamed(state["settings"])
    names = set(before) | set(settings)
    if not state["progress"].get("rounds") and (
        "unlabelled" not in settings or state["progress"]["epoch"] <= labelling_epochs(training)[0]
    ):
        names -= {"unlabelled"}
    return sorted(name for name in names if before.get(name) != settings.get(name))


def _renamed(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of an earlier checkpoint by their present names; those that it did not know have their defaults."""
    settings = {_NEW_NAMES.get(name, name): value for name, value in settings.items()}
    training = {_NEW_NAMES.get(name, name): value for name, value in settings.get("training", {}).items()}
    if training:
        training = {name: getattr(TrainingConfig, name) for name in _ADDED} | training
    settings["training"] = _augmented(training)
    if "unlabelled" in settings:
        settings["unlabelled"] = _augmented(settings["unlabelled"])
    return settings


def _augmented(settings: dict[str, Any]) -> dict[str, Any]:
    """With the augmentation's settings that an earlier checkpoint did not know."""
    if "augment" not in settings:
        return settings
    known = {name: getattr(AugmentConfig, name) for name in _ADDED_TO_AUGMENT}
    return settings | {"augment": known | settings["augment"]}

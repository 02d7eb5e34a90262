"""A training resumes with the settings that it had, also by the names that these had then."""

from __future__ import annotations

from pathlib import Path

import pytest

from starpoly.config import NetworkConfig, TrainingConfig
from starpoly.training.data import Pair
from starpoly.training.inputs import TrainingInputs
from starpoly.training.resuming import changed_settings, settings_of

TRAINING = TrainingConfig(group_balance=0.3)
PROGRESS = {"epoch": 1, "rounds": []}


@pytest.fixture
def settings():
    pair = Pair("a", Path("a.png"), Path("a_label.png"), group="rare")
    return settings_of(NetworkConfig(), TRAINING, TrainingInputs([pair], [pair]))


def test_the_same_settings_resume(settings):
    assert changed_settings({"settings": settings, "progress": PROGRESS}, settings, TRAINING) == []


def test_names_of_an_earlier_checkpoint_are_understood(settings):
    earlier = {**settings, "kinds": settings["groups"], "training": dict(settings["training"])}
    del earlier["groups"]
    earlier["training"]["kind_balance"] = earlier["training"].pop("group_balance")
    assert changed_settings({"settings": earlier, "progress": PROGRESS}, settings, TRAINING) == []


def test_settings_that_an_earlier_checkpoint_lacks_have_their_defaults(settings):
    training = {name: value for name, value in settings["training"].items() if name != "rendered"}
    augment = {name: value for name, value in training["augment"].items() if name not in ("stain", "jpeg")}
    earlier = {"settings": {**settings, "training": {**training, "augment": augment}}, "progress": PROGRESS}
    assert changed_settings(earlier, settings, TRAINING) == []
    other = {**settings, "training": {**settings["training"], "rendered": 0.3}}
    assert changed_settings(earlier, other, TRAINING) == ["training"]


def test_what_changed_is_named(settings):
    other = settings_of(NetworkConfig(), TrainingConfig(group_balance=0.9), TrainingInputs([], []))
    assert changed_settings({"settings": other, "progress": PROGRESS}, settings, TRAINING) == [
        "groups", "images", "training",
    ]  # fmt: skip

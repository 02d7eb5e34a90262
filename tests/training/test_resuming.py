"""A training resumes with the settings that it had, also by the names that these had then."""

from __future__ import annotations

from pathlib import Path

import pytest

from starpoly.config import NetworkConfig, TrainingConfig
from starpoly.training.data import Pair
from starpoly.training.inputs import TrainingInputs
from starpoly.training.resuming import changed_settings, changed_since, describe_changes, settings_of

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


def test_what_changed_is_said_with_both_values(settings):
    other = {**settings, "images": ["a", "b"], "network": {**settings["network"], "n_rays": 16, "grid": [4, 4]}}
    state = {"settings": settings, "progress": PROGRESS}
    changed = changed_settings(state, other, TRAINING)
    assert changed == ["images", "network"]
    assert describe_changes(state, other, changed) == (
        "images: 1 new (b); network.grid is [4, 4], was [2, 2]; network.n_rays is 16, was 32"
    )
    state["settings"] = {**settings, "images": ["d", "c", "b", "a", "e"]}
    assert describe_changes(state, settings, ["images"]) == "images: 4 missing (d, c, b, ...)"
    nested = {
        **settings,
        "training": {**settings["training"], "augment": {**settings["training"]["augment"], "blur": 9}},
    }
    state["settings"] = settings
    assert describe_changes(state, nested, ["training"]) == (
        f"training.augment.blur is 9, was {settings['training']['augment']['blur']}"
    )


def test_versions_that_changed_meanwhile(settings):
    now = {"starpoly": "2", "backend": "jax"}
    state = {"settings": settings, "progress": PROGRESS, "made_with": {"starpoly": "1", "backend": "jax"}}
    assert changed_since(state, settings, now) == {"starpoly": ["1", "2"]}
    del state["made_with"]
    assert changed_since(state, settings, now) == {}
    more = {**settings, "unlabelled": {"images": ["x", "y"]}}
    assert changed_since(state, more, now) == {"unlabelled images": [0, 2]}

"""A training resumes with the settings that it had, also by the names that these had then."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from starpoly.config import NetworkConfig, TrainingConfig
from starpoly.errors import ModelError
from starpoly.io.files import small_npz
from starpoly.training import resuming
from starpoly.training.data import Pair
from starpoly.training.inputs import TrainingInputs
from starpoly.training.resuming import (
    FILE_NAME,
    changed_settings,
    changed_since,
    describe_changes,
    read_state,
    settings_of,
)

TRAINING = TrainingConfig(group_balance=0.3)
PROGRESS = {"epoch": 1, "rounds": []}


@pytest.fixture
def settings():
    pair = Pair("a", Path("a.png"), Path("a_label.png"), group="rare")
    return settings_of(NetworkConfig(), TRAINING, TrainingInputs([pair], [pair]), {"a": "1"})


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
    other = settings_of(NetworkConfig(), TrainingConfig(group_balance=0.9), TrainingInputs([], []), {})
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


def test_images_and_masks_that_changed_meanwhile_are_named_and_go_on(settings):
    state = {"settings": settings, "progress": PROGRESS}
    others = {**settings, "contents": {"a": "2", "b": "3"}}
    assert changed_settings(state, others, TRAINING) == []
    assert changed_since(state, others, {}) == {"other content of": [None, "a"]}
    many = {**settings, "contents": dict.fromkeys("abcde", "1")}
    changed = changed_since({**state, "settings": many}, {**many, "contents": dict.fromkeys("abcde", "2")}, {})
    assert changed == {"other content of": [None, "a, b, c and 2 more"]}
    without = {name: value for name, value in settings.items() if name != "contents"}
    assert changed_since({**state, "settings": without}, settings, {}) == {}  # of an earlier version


def write_checkpoint(folder, state, **arrays):
    np.savez(folder / FILE_NAME, state=np.array(state), **arrays)


GOOD = {
    "settings": {"network": {}, "training": {"epochs": 2, "steps_per_epoch": 3}},
    "progress": {"epoch": 1, "best_epoch": 0},
}


def test_a_state_is_read_whole(tmp_path):
    assert read_state(tmp_path) is None
    write_checkpoint(tmp_path, json.dumps(GOOD))
    assert read_state(tmp_path) == GOOD


@pytest.mark.parametrize(
    "state",
    ["[]", "3", "{", json.dumps({"settings": None}), json.dumps(GOOD | {"progress": {}}),
     json.dumps(GOOD | {"settings": {"network": 3, "training": {"augment": 4}}}),
     json.dumps(GOOD | {"settings": GOOD["settings"] | {"training": {"epochs": 2, "steps_per_epoch": 3, "augment": 4}}})],
)  # fmt: skip
def test_what_is_no_state_of_a_training_is_refused_in_one_line(tmp_path, state):
    write_checkpoint(tmp_path, state)
    with pytest.raises(
        ModelError, match=r"checkpoint\.npz: expected a checkpoint of a training, .* delete it"
    ) as caught:
        read_state(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_that_unpacks_to_far_more_than_its_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(small_npz, "_SPARE_BYTES", 1 << 16)
    np.savez_compressed(tmp_path / FILE_NAME, state=np.array(json.dumps(GOOD)), variable_0=np.zeros(1 << 20))
    with pytest.raises(ModelError, match="2 arrays that claim 8389"):
        read_state(tmp_path)


def test_a_text_is_measured_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(resuming, "_LARGEST_STATE", 1 << 10)
    write_checkpoint(tmp_path, json.dumps(GOOD) + " " * 1024)
    with pytest.raises(ModelError, match="expected a text of at most 1024 bytes"):
        read_state(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_a_pipe_in_place_of_a_checkpoint_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / FILE_NAME)
    with pytest.raises(ModelError, match="is no regular file"):
        read_state(tmp_path)

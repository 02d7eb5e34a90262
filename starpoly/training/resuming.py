"""Settings that a resumed training must share with its checkpoint."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.lib.npyio import NpzFile

from ..config import AugmentConfig, NetworkConfig, TrainingConfig
from ..errors import ModelError
from ..io.files.small_npz import UNREADABLE, open_npz, read_text
from ..network.storage.folder import SPEC_FILE
from .data import listed
from .inputs import TrainingInputs
from .unlabelled import labelling_epochs

#: File of the checkpoint in a model folder.
FILE_NAME = "checkpoint.npz"

#: Names in a message.
_MOST = 3

#: Bytes of the settings and the history of a training, four to a letter.
_LARGEST_STATE = 256 << 20

#: Names that settings had in earlier checkpoints, and have now.
_NEW_NAMES = {"kinds": "groups", "kind_balance": "group_balance"}

#: Settings that earlier checkpoints may lack.
_ADDED = ("rendered",)
_ADDED_TO_AUGMENT = ("stain", "shuffle", "drop", "grey", "distract", "sharpen", "shot", "light", "jpeg")


def read_state(folder: Path) -> dict[str, Any] | None:
    """Read the state of a checkpoint; None if there is no file.

    Raises
    ------
    ModelError
        If the file is not a checkpoint.
    """
    if not (folder / FILE_NAME).exists():
        return None
    with open_checkpoint(folder) as file:
        state = json.loads(read_text(file, "state", _LARGEST_STATE))
        _check_state(state)
    return state


@contextmanager
def open_checkpoint(folder: Path) -> Iterator[NpzFile]:
    """The arrays of a checkpoint, which is open inside the block.

    Raises
    ------
    ModelError
        If the file cannot be read, or the block finds that it is not a checkpoint.
    """
    path = folder / FILE_NAME
    try:
        with open_npz(path) as file:
            yield file
    except UNREADABLE as error:
        raise ModelError(
            f"{path}: expected a checkpoint of a training, got an unreadable file ({error}); delete it to start anew"
        ) from error


def state_to_resume(folder: Path, resume: bool) -> dict[str, Any] | None:
    """The state of the checkpoint in a model folder, which only a resumed training may find there.

    Raises
    ------
    ModelError
        If there is a checkpoint and ``resume`` is False, or the file is not a checkpoint.
    """
    state = read_state(folder)
    if state is not None and not resume:
        raise ModelError(f"{folder}: holds a training already; continue it with --resume, or choose another folder")
    return state


def check_no_model(folder: Path, resume: bool) -> None:
    """Refuse a folder that holds a model without a checkpoint: one that was tuned, or copied there.

    Raises
    ------
    ModelError
    """
    if not resume and (folder / SPEC_FILE).exists() and not (folder / FILE_NAME).exists():
        raise ModelError(f"{folder}: holds a model, which a training would replace; choose another folder")


def _check_state(state: Any) -> None:
    """ValueError unless the state has the parts that are read here, of their types."""
    parts = {
        ("settings", "network"): dict, ("settings", "training"): dict, ("settings", "training", "epochs"): int,
        ("settings", "training", "steps_per_epoch"): int, ("progress", "epoch"): int, ("progress", "best_epoch"): int,
    }  # fmt: skip
    for path, kind in parts.items():
        value = state
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if not isinstance(value, kind):
            raise ValueError(f"expected {' '.join(path)}, got {json.dumps(value)[:40]}")
    for settings in (state["settings"]["training"], state["settings"].get("unlabelled", {})):
        if not isinstance(settings, dict) or not isinstance(settings.get("augment", {}), dict):
            raise ValueError("expected settings of the augmentation, got something else")


def settings_of(
    network: NetworkConfig, training: TrainingConfig, data: TrainingInputs, contents: Mapping[str, str]
) -> dict[str, Any]:
    """The relevant settings, as JSON types; ``contents`` are digests of the pairs by name."""
    labelled = training.to_dict()
    settings = {
        "network": network.to_dict(),
        "training": labelled,
        "images": [pair.name for pair in data.training],
        "contents": dict(contents),
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

    Unlabelled images may change until their first labelling, the content of images and masks at any time.
    """
    before = _renamed(state["settings"])
    names = (set(before) | set(settings)) - {"contents"}
    if not state["progress"].get("rounds") and (
        "unlabelled" not in settings or state["progress"]["epoch"] <= labelling_epochs(training)[0]
    ):
        names -= {"unlabelled"}
    return sorted(name for name in names if before.get(name) != settings.get(name))


def describe_changes(state: dict[str, Any], settings: dict[str, Any], names: Sequence[str]) -> str:
    """What differs from the settings of a checkpoint, for people: settings with both values, images by name.

    Parameters
    ----------
    state : dict
        Of the checkpoint.
    settings : dict
    names : sequence of str
        As :func:`changed_settings` finds them.
    """
    before = _renamed(state["settings"])
    return "; ".join(part for name in names for part in _differences(name, before.get(name), settings.get(name)))


def _differences(name: str, before: Any, after: Any, most: int = _MOST) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            if before.get(key) != after.get(key):
                yield from _differences(f"{name}.{key}", before.get(key), after.get(key))
    elif (
        isinstance(before or after, list)
        and {type(before), type(after)} <= {list, type(None)}
        and _named(before, after)
    ):
        for what, those in (("new", _beyond(after, before)), ("missing", _beyond(before, after))):
            if those:
                yield f"{name}: {len(those)} {what} ({', '.join(those[:most])}{', ...' if len(those) > most else ''})"
        if sorted(before or ()) == sorted(after or ()):
            yield f"{name}: in another order"
    else:
        yield f"{name} is {json.dumps(after)}, was {json.dumps(before)}"


def _named(*lists: Any) -> bool:
    return all(isinstance(entry, str) for entries in lists for entry in entries or ())


def _beyond(these: Sequence[str] | None, those: Sequence[str] | None) -> list[str]:
    return list((Counter(these or ()) - Counter(those or ())).elements())


def changed_since(state: dict[str, Any], settings: dict[str, Any], made_with: dict[str, str]) -> dict[str, list[Any]]:
    """What may change while a training is interrupted, and did, before and after: versions, unlabelled images, contents."""
    earlier = state.get("made_with", made_with)
    found = {name: [earlier.get(name), now] for name, now in made_with.items() if earlier.get(name) != now}
    counts = [len(each.get("unlabelled", {}).get("images", ())) for each in (_renamed(state["settings"]), settings)]
    if _renamed(state["settings"]).get("unlabelled") != settings.get("unlabelled"):
        found["unlabelled images"] = counts
    contents = state["settings"].get("contents", {})
    if others := [name for name, digest in settings["contents"].items() if contents.get(name, digest) != digest]:
        found["other content of"] = [None, listed(others, _MOST)]
    return found


def describe_progress(state: dict[str, Any]) -> str:
    """How far a checkpoint is, for people."""
    progress, training = state["progress"], state["settings"]["training"]
    told = f"epoch {progress['epoch']} of {training['epochs']}"
    if progress.get("step"):
        told += f" and {progress['step']} of {training['steps_per_epoch']} steps of the next"
    return told


def describe_saved(folder: Path) -> str:
    """What a training that was stopped has left in a model folder, and how it goes on."""
    state = read_state(folder)
    if state is None:
        return f"{folder}: stopped before the first checkpoint, nothing is saved; repeat the command to start anew"
    best = state["progress"]["best_epoch"]
    model = f"and the best model so far, of epoch {best}" if best else "and no model yet"
    return (
        f"{folder}: stopped; saved are the checkpoint after {describe_progress(state)}, {model}; "
        "repeat the command with --resume to continue"
    )


def settings_to_resume(folder: Path) -> dict[str, dict[str, Any]]:
    """Settings of the checkpoint in a model folder, as tables of a settings file; none where there is no checkpoint."""
    state = read_state(folder)
    if state is None:
        return {}
    found = _renamed(state["settings"])
    return {"network": found["network"], "training": found["training"]}


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

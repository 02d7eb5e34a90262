"""Training: learns, keeps the best, and a resumed run ends as one that was never stopped."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from starpoly.config import AugmentConfig, NetworkConfig, SizeRange, TrainingConfig
from starpoly.errors import ModelError
from starpoly.io.files.atomic import beside
from starpoly.network.storage.folder import load_model
from starpoly.training import fit as fit_module
from starpoly.training import loop as loop_module
from starpoly.training import progress_callbacks
from starpoly.training.data import array_pairs
from starpoly.training.fit import fit
from starpoly.training.inputs import TrainingInputs
from starpoly.training.resuming import FILE_NAME, describe_progress, describe_saved, read_state

NETWORK = NetworkConfig(n_rays=8, depth=1, base_filters=4, head_filters=8)
TRAINING = TrainingConfig(
    epochs=3, steps_per_epoch=4, batch_size=2, patch_size=(32, 32), warmup_steps=2, validate_every=1, validation_patches=2,
    augment=AugmentConfig(warp_probability=0.2),
)  # fmt: skip


def pairs(n: int = 3, seed: int = 0):
    """Noisy images of bright squares."""
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(n):
        labels = np.zeros((48, 48), np.int32)
        y, x = rng.integers(2, 28, 2)
        labels[y : y + 15, x : x + 15] = 1
        masks.append(labels)
    return array_pairs([rng.normal(100 * m, 10) for m in masks], masks)


def run(folder, training=TRAINING, **settings):
    return fit(folder, TrainingInputs(pairs(), pairs(2, seed=1)), network=NETWORK, training=training, **settings)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "whole"
    return folder, run(folder)


def test_model_folder_is_complete(whole):
    folder, spec = whole
    assert {path.name for path in folder.iterdir()} >= {"model.json", "weights.h5", "training.csv", "checkpoint.npz"}
    assert spec.name == "whole"
    assert spec.training["images"] == 3
    assert spec.object_diameter[1] == pytest.approx(np.sqrt(4 / np.pi * 225), abs=0.01)
    assert spec.max_distance >= 15 * np.sqrt(2)
    with (folder / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert all(float(row["val_loss"]) > 0 for row in rows)


def test_where_images_are_brought_to_a_size_distances_are_bounded_by_it(tmp_path):
    sizes = SizeRange(smallest=2.0, target=3.0, largest=4.0)
    assert run(tmp_path / "m", TRAINING.replace(sizes=sizes, epochs=1)).max_distance == 10


def test_killed_and_resumed_ends_the_same(whole, tmp_path, monkeypatch):
    folder = tmp_path / "whole"
    save = loop_module.save_checkpoint

    def die_after_the_first(*args, **kwargs):
        save(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop_module, "save_checkpoint", die_after_the_first)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(folder, resume=True)
    monkeypatch.undo()
    left = [beside(folder / name, "lock") for name in (FILE_NAME, "weights.h5", "training.csv")]  # by a kill
    for lock in left:
        lock.touch()
    spec = run(folder, resume=True)
    assert not any(lock.exists() for lock in left)
    _, straight = load_model(whole[0])
    _, resumed = load_model(folder)
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert spec.training["validation_loss"] == whole[1].training["validation_loss"]


def test_stopped_within_an_epoch_ends_the_same(whole, tmp_path, monkeypatch):
    folder, count = tmp_path / "whole", []
    monkeypatch.setattr(progress_callbacks, "FIRST_CHECKPOINT", 0.0)
    monkeypatch.setattr(progress_callbacks, "NEXT_CHECKPOINT", 0.0)
    monkeypatch.setattr(progress_callbacks, "_SHARE", 1e9)
    save = loop_module.save_checkpoint

    def die_after_some(*args, **kwargs):
        save(*args, **kwargs)
        count.append(1)
        if len(count) == 6:  # after two steps of the second epoch
            raise KeyboardInterrupt

    monkeypatch.setattr(loop_module, "save_checkpoint", die_after_some)
    with pytest.raises(KeyboardInterrupt):
        run(folder)
    assert describe_progress(read_state(folder)) == "epoch 1 of 3 and 2 of 4 steps of the next"
    assert "best model so far, of epoch 1; repeat the command with --resume" in describe_saved(folder)
    monkeypatch.undo()
    run(folder, resume=True)
    for a, b in zip(load_model(whole[0])[1].get_weights(), load_model(folder)[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    straight, resumed = (read_state(each)["progress"]["history"] for each in (whole[0], folder))
    assert [row["loss"] for row in straight] == [row["loss"] for row in resumed]


def test_what_a_stopped_training_says(tmp_path):
    assert "nothing is saved" in describe_saved(tmp_path)


def test_minutes_decide_the_number_of_epochs(tmp_path, monkeypatch):
    monkeypatch.setattr(fit_module, "time_steps", lambda model, batches: (len(list(batches)) / 11 * 1e4, 0.0))
    spec = run(tmp_path / "m", minutes=1000)
    settings = spec.training["settings"]
    assert (settings["epochs"], settings["steps_per_epoch"], settings["validate_every"]) == (4, 1, 1)
    assert run(tmp_path / "m", resume=True, minutes=99).training["settings"] == settings


def test_checkpoint_is_not_overwritten_unasked(whole):
    with pytest.raises(ModelError, match="--resume"):
        run(whole[0])


def test_resuming_with_other_settings_is_refused(whole):
    with pytest.raises(ModelError, match="other settings"):
        run(whole[0], TRAINING.replace(seed=7), resume=True)


@pytest.mark.usefixtures("eager_steps")
def test_fine_tuning_starts_from_the_given_weights(whole, tmp_path):
    gentle = TRAINING.replace(epochs=1, steps_per_epoch=1, learning_rate=1e-9, ema=0.0)
    run(tmp_path / "tuned", gentle, init=whole[0])
    spec, tuned = load_model(tmp_path / "tuned")
    assert spec.training["initial_model"] == "whole"
    kernel = next(w for w in load_model(whole[0])[1].trainable_weights if "kernel" in w.path)
    same = next(w for w in tuned.trainable_weights if w.path == kernel.path)
    np.testing.assert_allclose(np.asarray(same), np.asarray(kernel), atol=1e-6)


@pytest.mark.usefixtures("eager_steps")
def test_losses_that_are_no_numbers_end_the_training_and_leave_nothing_to_go_on_from(tmp_path):
    wild = TRAINING.replace(learning_rate=1e30, warmup_steps=0)
    with pytest.raises(
        ModelError, match=r"expected finite losses, got nan in epoch 1; .* a learning rate below 1e\+30"
    ):
        run(tmp_path / "m", wild)
    assert not list(tmp_path.glob("m/checkpoint*"))
    run(tmp_path / "m", TRAINING.replace(epochs=1, steps_per_epoch=1))  # nothing there forbids it


def test_broken_checkpoint_is_said(tmp_path):
    (tmp_path / "checkpoint.npz").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="delete it to start anew"):
        run(tmp_path, resume=True)

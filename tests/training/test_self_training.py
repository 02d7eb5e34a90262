"""Learning from unlabelled images: only from where it should, the same after an interruption, said in the model."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import AugmentConfig, NetworkConfig, TrainingConfig
from starpoly.errors import ConfigError, ModelError, StarpolyWarning
from starpoly.model import StarPoly2D
from starpoly.network.storage.folder import load_model
from starpoly.training import rounds as rounds_module
from starpoly.training.data import array_pairs
from starpoly.training.fit import fit
from starpoly.training.inputs import TrainingInputs
from starpoly.training.self_training import FOLDER
from starpoly.training.unlabelled import array_unlabelled

NETWORK = NetworkConfig(n_rays=16, depth=2, base_filters=8, head_filters=16)
TRAINING = TrainingConfig.from_dict({
    "epochs": 4, "steps_per_epoch": 30, "batch_size": 2, "patch_size": (48, 48), "warmup_steps": 2, "validate_every": 1,
    "validation_patches": 2, "learning_rate": 1e-2, "ema": 0.5, "augment": AugmentConfig(warp_probability=0, blur=0),
    "unlabelled": {"confidence": 0.05, "augment": AugmentConfig(warp_probability=0, blur=0)},
})  # fmt: skip


def disks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four bright disks on a dim, noisy ground, and their labels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    labels = np.zeros((64, 64), np.int32)
    for label, (cy, cx) in enumerate([(16, 16), (16, 46), (46, 16), (46, 46)], start=1):
        cy, cx = cy + rng.integers(-3, 4), cx + rng.integers(-3, 4)
        labels[np.hypot(y - cy, x - cx) < rng.uniform(6, 9)] = label
    return rng.normal(20 + 150 * (labels > 0), 5), labels


def pairs(*seeds: int):
    images, masks = zip(*map(disks, seeds), strict=True)
    return array_pairs(images, masks)


def unlabelled():
    return array_unlabelled([disks(seed)[0] for seed in range(10, 14)])


def run(folder, training=TRAINING, **settings):
    data = TrainingInputs(pairs(0, 1, 2), pairs(3), settings.pop("unlabelled", unlabelled()))
    return fit(folder, data, network=NETWORK, training=training, **settings)


def killed_after(epoch: int, folder, **settings) -> None:
    """A training that is stopped once an epoch is written."""

    def stop(done: int) -> None:
        if done == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, after_epoch=stop, **settings)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "whole"
    return folder, run(folder)


def weights(folder):
    return load_model(folder)[1].get_weights()


def test_the_model_says_what_it_learnt_from(whole):
    folder, spec = whole
    rounds = spec.training["unlabelled"]
    assert [row["epoch"] for row in rounds] == [2, 3]
    assert all(row["images"] == 4 and row["objects"] > 0 and 0 < row["score"] < 1 for row in rounds)
    assert spec.training["settings"]["unlabelled"]["rounds"] == 2
    # labels of a round that is over are not kept
    assert [path.name for path in (folder / FOLDER).iterdir()] == ["round2"]


def test_killed_anywhere_and_resumed_ends_the_same(whole, tmp_path, monkeypatch):
    folder = tmp_path / "whole"
    label = rounds_module.pseudo_labels
    asked = []

    def die_at_some_images(*args, **kwargs):
        asked.append(1)
        if len(asked) in (3, 8):
            raise KeyboardInterrupt
        return label(*args, **kwargs)

    monkeypatch.setattr(rounds_module, "pseudo_labels", die_at_some_images)
    with pytest.raises(KeyboardInterrupt):
        run(folder)  # in the first round of labelling
    killed_after(3, folder, resume=True)  # with the labels of the first round in use
    with pytest.raises(KeyboardInterrupt):
        run(folder, resume=True)  # in the second
    spec = run(folder, resume=True)
    # 4 images in each of 2 rounds, and the 2 that were asked for when it died
    assert len(asked) == 10
    assert spec.training["unlabelled"] == whole[1].training["unlabelled"]
    for a, b in zip(weights(whole[0]), weights(folder), strict=True):
        np.testing.assert_array_equal(a, b)


def test_unlabelled_images_can_be_added_until_the_first_labelling(whole, tmp_path):
    killed_after(2, tmp_path / "whole", unlabelled=())
    run(tmp_path / "whole", resume=True)
    for a, b in zip(weights(whole[0]), weights(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ModelError, match=r"other settings: unlabelled is null"):
        run(tmp_path / "whole", resume=True, unlabelled=())


def test_labels_that_were_lost_in_between_are_missed(tmp_path):
    one_round = TRAINING.replace(unlabelled={**TRAINING.unlabelled.to_dict(), "rounds": 1})
    killed_after(3, tmp_path, training=one_round)
    (tmp_path / FOLDER / "round1" / "labels.json").unlink()
    with pytest.raises(ModelError, match="expected the labels of the unlabelled images"):
        run(tmp_path, one_round, resume=True)


@pytest.mark.usefixtures("eager_steps")
def test_without_unlabelled_images_nothing_is_said_of_them(tmp_path):
    spec = run(tmp_path / "m", TRAINING.replace(epochs=1, steps_per_epoch=1), unlabelled=())
    assert "unlabelled" not in spec.training
    assert "unlabelled" not in spec.training["settings"]


@pytest.mark.usefixtures("eager_steps")
def test_a_teacher_that_is_sure_of_nothing_teaches_nothing(tmp_path):
    lazy = TRAINING.replace(
        epochs=2, steps_per_epoch=1, unlabelled={**TRAINING.unlabelled.to_dict(), "confidence": 0.999}
    )
    with pytest.warns(StarpolyWarning, match="unlabelled images are not used"):
        spec = run(tmp_path / "model", lazy)
    assert spec.training["unlabelled"][0]["images_used"] == 0


def test_one_epoch_is_too_short(tmp_path):
    with pytest.raises(ConfigError, match="at least 2"):
        run(tmp_path / "model", TRAINING.replace(epochs=1))


# whether so short a training is sure of an object depends on the processor's rounding
@pytest.mark.filterwarnings("ignore:no unlabelled image holds an object")
def test_facade_takes_unlabelled_arrays(tmp_path):
    images, masks = zip(*map(disks, range(4)), strict=True)
    model = StarPoly2D.train(
        images[:3], masks[:3], validation_data=(images[3:], masks[3:]), folder=tmp_path / "m", network=NETWORK,
        training=TRAINING, unlabelled=[disks(9)[0]],
    )  # fmt: skip
    assert model.spec.training["unlabelled"][0]["images"] == 1

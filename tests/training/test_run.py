"""A whole training, the same from Python, the command line and napari."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main
from starpoly.config import AugmentConfig, ModelSpec, NetworkConfig, Thresholds, TrainingConfig
from starpoly.errors import DataError, ModelError, StarpolyWarning
from starpoly.model import StarPoly2D
from starpoly.napari_plugin.train import LabelledPlanes, train_model
from starpoly.network.architectures.registry import build_network
from starpoly.network.storage.folder import load_spec, save_model
from starpoly.training import thresholds

from support.examples import with_discs

pytestmark = pytest.mark.usefixtures("eager_steps")  # as few as there are

NETWORK = NetworkConfig(n_rays=8, depth=1, base_filters=4, head_filters=8)
TRAINING = TrainingConfig(
    epochs=1, steps_per_epoch=2, batch_size=2, patch_size=(32, 32), warmup_steps=1, validate_every=1, validation_patches=2,
    augment=AugmentConfig(warp_probability=0),
)  # fmt: skip
LABELS = with_discs((48, 96), *[(y, x, 6) for y in (12, 36) for x in (12, 36, 60, 84)])
IMAGE = np.where(LABELS > 0, 200, 20) + np.random.default_rng(0).integers(0, 9, LABELS.shape)
CLASSES = {label: 1 + label % 2 for label in range(1, 9)}


def train(folder, validation_data, **settings):
    return StarPoly2D.train(
        [IMAGE],
        [LABELS],
        validation_data=validation_data,
        folder=folder,
        network=NETWORK,
        training=TRAINING,
        **settings,
    )


def test_validation_data_may_have_classes_and_their_names_set_their_number(tmp_path):
    model = train(tmp_path / "m", ([IMAGE], [LABELS], [CLASSES]), classes=[CLASSES], class_names=("even", "odd"))
    assert model.spec.network == NETWORK.replace(n_classes=2)
    assert model.spec.class_names == ("even", "odd")
    assert model.spec.calibration
    assert load_spec(tmp_path / "m").thresholds == model.thresholds
    names = {path.name for path in (tmp_path / "m").iterdir()}
    assert {"model.json", "weights.h5", "training.csv", "losses.png", "training.html", "checkpoint.npz"} <= names


def test_validation_data_of_other_parts_are_refused_before_the_training(tmp_path):
    with pytest.raises(DataError, match="validation_data: expected"):
        train(tmp_path / "m", ([IMAGE],))
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("was_there", [False, True])
def test_a_training_that_ends_before_it_wrote_leaves_no_folder_of_its_own(tmp_path, monkeypatch, was_there):
    def stopped(folder, *args, **settings):
        folder.mkdir(exist_ok=True)
        raise KeyboardInterrupt

    if was_there:
        (tmp_path / "m").mkdir()
    monkeypatch.setattr("starpoly.training.fit.fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "m", ([IMAGE], [LABELS]))
    assert (tmp_path / "m").exists() == was_there


def test_where_nothing_is_found_the_model_is_written_with_default_thresholds(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(thresholds, "LOWEST_PROBABILITY", 1.0)  # no score is higher
    for place, pixels in (("images", IMAGE.astype(np.uint8)), ("masks", LABELS.astype(np.uint16))):
        (tmp_path / place).mkdir()
        for name in "ab":
            tifffile.imwrite(tmp_path / place / f"{name}.tif", pixels)
    (tmp_path / "tiny.toml").write_text("[network]\nn_rays = 8\ndepth = 1\nbase_filters = 4\nhead_filters = 8\n")
    argv = ["train", "--images", tmp_path / "images", "--masks", tmp_path / "masks", "-o", tmp_path / "m"]
    argv += ["--config", tmp_path / "tiny.toml", "--epochs", 1, "--steps", 1, "--batch-size", 1, "--patch-size", 32]
    assert main([str(word) for word in argv]) == 0
    assert "thresholds stay at their defaults" in capsys.readouterr().err
    spec = load_spec(tmp_path / "m")
    assert (spec.thresholds, spec.calibration) == (Thresholds(), ())
    assert {"losses.png", "training.html"} <= {path.name for path in (tmp_path / "m").iterdir()}


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_napari_keeps_the_network_of_the_initial_model(tmp_path):
    spec = ModelSpec("mine", NETWORK, 20.0)
    save_model(tmp_path / "mine", spec, build_network(spec.network))
    planes = LabelledPlanes([IMAGE], [LABELS], [IMAGE], [LABELS])
    train_model(planes, tmp_path / "more", init=str(tmp_path / "mine"), epochs=1, steps=1)
    assert load_spec(tmp_path / "more").network == NETWORK


@pytest.mark.parametrize("where", ["inspection.Inspection._look", "run.tune_folder", "run._draw_losses"])
def test_a_step_beside_the_training_that_fails_is_said_and_the_model_is_written(tmp_path, monkeypatch, where):
    def fail(*args, **kwargs):
        raise RuntimeError("no space on the display")

    monkeypatch.setattr(f"starpoly.training.{where}", fail)
    with pytest.warns(StarpolyWarning, match=r"left out \(no space on the display\)"):
        model = train(tmp_path / "m", ([IMAGE], [LABELS]), inspect_every=1)
    assert model.spec == load_spec(tmp_path / "m")
    assert model.thresholds == load_spec(tmp_path / "m").thresholds


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_pictures_from_the_first_epoch_on(tmp_path, every):
    StarPoly2D.train(
        [IMAGE], [LABELS], validation_data=([IMAGE], [LABELS]), folder=tmp_path / "m", network=NETWORK,
        training=TRAINING.replace(epochs=3, validate_every=4), inspect_every=every,
    )  # fmt: skip
    assert (tmp_path / "m" / "validation" / f"epoch_{every:04d}.png").exists()


@pytest.mark.parametrize("validation_data", [None, [IMAGE], ([IMAGE], [LABELS], [1])])
def test_validation_data_that_are_none_are_refused(tmp_path, validation_data):
    with pytest.raises(DataError, match=r"^(validation_data|classes): expected "):
        train(tmp_path / "m", validation_data)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_a_folder_with_a_training_is_refused_before_the_initial_model_is_scored(tmp_path, monkeypatch):
    train(tmp_path / "m", ([IMAGE], [LABELS]))
    monkeypatch.setattr("starpoly.training.tuning.log_baseline", lambda *args: pytest.fail("scored"))
    with pytest.raises(ModelError, match="holds a training already"):
        train(tmp_path / "m", ([IMAGE], [LABELS]), init=tmp_path / "m")
    (tmp_path / "m" / "checkpoint.npz").unlink()  # as tuned models have none
    with pytest.raises(ModelError, match="holds a model, which a training would replace"):
        train(tmp_path / "m", ([IMAGE], [LABELS]), init=tmp_path / "m")

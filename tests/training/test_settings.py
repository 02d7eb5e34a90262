"""Settings of a training: a file, names that go before it, and the network of the initial model."""

from __future__ import annotations

import pytest

from starpoly.config import NetworkConfig, TrainingConfig
from starpoly.errors import ConfigError, ModelError
from starpoly.model_zoo import find_model
from starpoly.network.storage.folder import load_spec
from starpoly.training.settings import PRESET_OF_INIT, read_settings

INIT = "nuclei-fluo-small"


def toml(folder, text):
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_defaults():
    settings = read_settings()
    assert (settings.network, settings.training) == (NetworkConfig(), TrainingConfig())


def test_what_is_named_goes_before_the_file(tmp_path):
    settings = read_settings(toml(tmp_path, "[training]\nepochs = 3\nseed = 4\n"), training={"epochs": 5})
    assert (settings.training.epochs, settings.training.seed) == (5, 4)


def test_the_initial_model_keeps_its_network_but_for_what_the_file_changes(tmp_path):
    assert read_settings(init=INIT).network is None
    changed = read_settings(toml(tmp_path, "[network]\nn_channels = 3\n"), init=INIT).network
    assert changed == load_spec(find_model(INIT)).network.replace(n_channels=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[net]\nn_rays = 8\n", "unknown table 'net'"),
        ("[training]\nepoch = 3\n", "did you mean epochs?"),
        ("=", "TOML"),
    ],
)
def test_what_is_unknown_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read_settings(toml(tmp_path, text))


def test_a_training_from_a_model_is_shorter_and_gentler_unless_told(tmp_path):
    plain, tuned = read_settings().training, read_settings(init=INIT).training
    assert tuned == plain.replace(**PRESET_OF_INIT)
    assert tuned.epochs < plain.epochs
    told = read_settings(
        toml(tmp_path, "[training]\nepochs = 7\n"), training={"learning_rate": 0.5}, init=INIT
    ).training
    assert (told.epochs, told.learning_rate) == (7, 0.5)


def test_what_is_resumed_keeps_what_is_not_stated(tmp_path):
    resumed = {"training": {"epochs": 80, "learning_rate": 1e-3}, "network": {"n_rays": 16, "grid": [4, 4]}}
    found = read_settings(training={"seed": 3}, init=INIT, resumed=resumed)
    assert (found.training.epochs, found.training.seed) == (80, 3)
    assert (found.network.n_rays, found.network.grid) == (16, (4, 4))


def test_an_unknown_architecture_is_told_before_data_are_read(tmp_path):
    with pytest.raises(ConfigError, match=r"architecture: expected one of unet, .*, got 'u-net'; did you mean unet\?"):
        read_settings(toml(tmp_path, '[network]\narchitecture = "u-net"\n'))


def test_a_setting_outside_its_table_is_told_where_it_belongs(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown table 'n_rays'; .*; n_rays belongs into \[network\]"):
        read_settings(toml(tmp_path, "n_rays = 32\n"))


def test_an_initial_model_that_is_not_there_is_told_at_once():
    with pytest.raises(ModelError, match=r"nuclei-flu: no such model or model folder; .* did you mean nuclei-fluo"):
        read_settings(init="nuclei-flu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[network]\nn_rays = "many"\n', "network.n_rays: expected a whole number, got 'many'"),
        ("[training.augment]\nblurr = 3\n", "training.augment: unknown setting 'blurr'; did you mean blur?"),
    ],
)
def test_what_is_wrong_is_told_with_the_name_of_the_file(tmp_path, text, message):
    path = toml(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        read_settings(path)
    assert str(error.value) == f"{path}: {message}"

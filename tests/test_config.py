"""Settings survive JSON, and what is unknown or wrong is refused with a hint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from starpoly.config import AugmentConfig, ModelSpec, NetworkConfig, NormalizationConfig, Thresholds, TrainingConfig
from starpoly.errors import ConfigError

SPEC = ModelSpec(
    name="example",
    network=NetworkConfig(n_rays=16, grid=(1, 2), n_classes=2),
    max_distance=80.0,
    thresholds=Thresholds(0.4, 0.3),
    class_names=("a", "b"),
    training={"epochs": 3},
)


@pytest.mark.parametrize(
    "config", [SPEC, TrainingConfig(class_weights=(1.0, 2.0)), AugmentConfig(), NormalizationConfig()]
)
def test_round_trip_through_json(config):
    assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_learning_rate_is_a_positive_number(rate):
    with pytest.raises(ConfigError, match="learning_rate: expected a positive number"):
        TrainingConfig(learning_rate=rate)


def test_unknown_setting_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean n_rays"):
        NetworkConfig.from_dict({"n_ray": 32})


@pytest.mark.parametrize("name", ["n_filter_base", "unet_n_filter_base"])
def test_a_setting_of_stardist_is_told_by_its_name_here(name):
    with pytest.raises(ConfigError, match=f"unknown setting '{name}'; StarDist's {name} is base_filters here"):
        NetworkConfig.from_dict({name: 64})


def test_unknown_setting_in_a_nested_table_says_where():
    with pytest.raises(ConfigError, match=r"training\.augment: unknown setting 'flips'"):
        TrainingConfig.from_dict({"augment": {"flips": True}}, where="training")


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (NetworkConfig, {"n_rays": 2}, "n_rays"),
        (NetworkConfig, {"n_rays": "32"}, "expected a whole number"),
        (NetworkConfig, {"n_rays": True}, "expected a whole number"),
        (NetworkConfig, {"grid": [2, 3]}, "powers of two"),
        (NetworkConfig, {"grid": 2}, "expected a list"),
        (NetworkConfig, {"grid": [2]}, "expected 2 values"),
        (NetworkConfig, {"kernel_size": 4}, "odd"),
        (NetworkConfig, {"stem": "deep"}, "stem"),
        (Thresholds, {"prob": 1.5}, "0 to 1"),
        (NormalizationConfig, {"low": 60, "high": 40}, "low < high"),
        (TrainingConfig, {"epochs": 0}, "epochs"),
        (TrainingConfig, {"precision": "float16"}, "precision"),
        (TrainingConfig, {"augment": {"scale": [2, 1]}}, "scale"),
        (ModelSpec, {"name": "x"}, "missing"),
    ],
)
def test_wrong_value_is_refused(kind, values, message):
    with pytest.raises(ConfigError, match=message):
        kind.from_dict(values)


def test_whole_number_serves_where_a_float_is_meant():
    assert NormalizationConfig.from_dict({"low": 1, "high": 99}).low == 1.0


def test_replace_validates():
    with pytest.raises(ConfigError):
        Thresholds().replace(nms=2.0)


STARDIST = {"n_rays": 6, "depth": 1}


def test_what_only_some_networks_have_is_left_out_of_json():
    assert not {"architecture", "settings", "more_heads"} & NetworkConfig().to_dict().keys()
    other = NetworkConfig(architecture="other", settings={"width": 3}, more_heads=("boundary",))
    assert NetworkConfig.from_dict(json.loads(json.dumps(other.to_dict()))) == other


def test_a_network_of_stardist_stands_beside_the_network_in_json():
    spec = ModelSpec("theirs", NetworkConfig(architecture="stardist_unet", settings=STARDIST), max_distance=9.0)
    content = spec.to_dict()
    assert content["stardist"] == STARDIST
    assert not {"architecture", "settings"} & content["network"].keys()
    assert ModelSpec.from_dict(json.loads(json.dumps(content))) == spec
    assert spec.replace(name="other").network == spec.network
    assert spec.replace(network=NetworkConfig()).to_dict()["stardist"] == {}


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "models").glob("*/model.json")), ids=str)
def test_a_shipped_description_comes_back_to_the_same_bytes(path):
    text = path.read_text(encoding="utf-8")
    content = json.loads(text)
    kept = {name: content.pop(name) for name in ("format", "weights_sha256")}
    again = {
        "format": kept["format"],
        **ModelSpec.from_dict(content).to_dict(),
        "weights_sha256": kept["weights_sha256"],
    }
    assert json.dumps(again, indent=2) + "\n" == text

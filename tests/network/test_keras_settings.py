"""Another project's Keras settings change nothing, and are left as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from starpoly.config import NetworkConfig
from starpoly.errors import collected_warnings
from starpoly.network import keras_settings
from starpoly.network.architectures.registry import build_network

CODE = """
import hashlib, sys, numpy as np
from starpoly.config import ModelSpec, NetworkConfig
from starpoly.network.quiet import quiet_import
if sys.argv[1] == "imported":
    import keras
keras = quiet_import()
from starpoly.network.architectures.registry import build_network
from starpoly.network.predictor import Predictor
keras.utils.set_random_seed(0)
config = NetworkConfig(n_rays=8, depth=1, base_filters=4, head_filters=8)
predictor = Predictor(ModelSpec("m", config, max_distance=9.0), build_network(config), "float32")
found = predictor(np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(1, 32, 32, 1))
print(keras.backend.backend(), found.probability.dtype, found.probability.shape, hashlib.sha256(found.distances.tobytes()).hexdigest())
print(keras.config.image_data_format(), keras.config.floatx())
"""
OTHERS = {
    "none": {},
    "torch": {"backend": "torch", "image_data_format": "channels_first", "floatx": "float16", "epsilon": 1e-3},
    "list": [],
}


@pytest.mark.slow
def test_keras_json_changes_nothing(tmp_path):
    answers = {}
    for name, settings in OTHERS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "keras.json").write_text(json.dumps(settings))
        environment = os.environ | {"KERAS_HOME": str(tmp_path / name), "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.pop("KERAS_BACKEND", None)
        if name == "none":
            environment["KERAS_BACKEND"] = "numpy"  # not one that starpoly runs under
        done = subprocess.run(
            [sys.executable, "-c", CODE, "no"], env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        answer, kept = done.stdout.strip().splitlines()
        answers[name] = answer
        settings = settings or {}
        assert kept.split() == [settings.get("image_data_format", "channels_last"), settings.get("floatx", "float32")]
    assert len(set(answers.values())) == 1
    assert answers["torch"].startswith("tensorflow float32")


@pytest.mark.parametrize(
    ("named", "installed", "expected"),
    [
        (None, {"tensorflow", "jax"}, "tensorflow"),
        ("jax", {"tensorflow", "jax"}, "jax"),
        ("jax", {"tensorflow"}, "tensorflow"),
        ("torch", {"tensorflow", "torch"}, "tensorflow"),
        (None, {"jax"}, "jax"),
        ("", {"jax"}, "jax"),
        (None, set(), "tensorflow"),
    ],
)
def test_the_backend_is_one_that_starpoly_runs_under(monkeypatch, named, installed, expected):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(keras_settings, "find_spec", lambda name: name if name in installed else None)
    monkeypatch.setenv("KERAS_BACKEND", named) if named is not None else monkeypatch.delenv("KERAS_BACKEND", False)
    assert keras_settings.backend() == expected
    with collected_warnings() as warned, keras_settings.own_environment():
        assert os.environ["KERAS_BACKEND"] == expected
    missed = ["KERAS_BACKEND=jax: not installed, tensorflow is used"] * (named == "jax" != expected)
    assert [text.split(";")[0] for text in warned] == missed
    assert os.environ.get("KERAS_BACKEND") == named


def test_settings_made_in_the_process_are_put_back():
    import keras

    before = keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy()
    try:
        keras.config.set_image_data_format("channels_first")
        keras.config.set_floatx("float16")
        network = build_network(NetworkConfig(n_rays=8, depth=1, base_filters=4, head_filters=8))
        assert keras.config.image_data_format() == "channels_first"
        assert keras.config.floatx() == "float16"
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])
        keras.config.set_dtype_policy(before[2])
    assert network(np.zeros((1, 16, 32, 1), np.float32))["distances"].shape[-1] == 8

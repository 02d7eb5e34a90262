"""A training on two devices takes the steps of one; each device has its share of a batch. Virtual devices, in a process of JAX."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
from pathlib import Path
import keras
import numpy as np
from starpoly.config import AugmentConfig, NetworkConfig, TrainingConfig
from starpoly.training import fit as fit_module
from starpoly.training.data import array_pairs
from starpoly.training.inputs import TrainingInputs

labels = np.zeros((48, 48), np.int32)
labels[9:30, 12:31] = 1
image = 100 * labels + np.random.default_rng(0).normal(0, 10, labels.shape)
pairs = array_pairs([image, image[::-1]], [labels, labels[::-1]])
used, compiled = [], fit_module._compile

def watched(*args):
    model = compiled(*args)
    used.append(len(model.trainable_variables[0].value.devices()))
    return model

fit_module._compile = watched
training = TrainingConfig(
    epochs=1, steps_per_epoch=3, batch_size=4, patch_size=(32, 32), warmup_steps=1, validate_every=1,
    validation_patches=4, augment=AugmentConfig(warp_probability=0.0),
)
network = NetworkConfig(n_rays=8, depth=1, base_filters=4, head_filters=8)
devices, found = keras.distribution.list_devices(), {}
for n in (1, 2):
    keras.distribution.list_devices = lambda: devices[:n]
    folder = Path(sys.argv[1]) / str(n)
    fit_module.fit(folder, TrainingInputs(pairs, pairs), network=network, training=training)
    row = (folder / "training.csv").read_text().splitlines()
    losses = {name: float(value) for name, value in zip(row[0].split(","), row[-1].split(",")) if "loss" in name}
    found[n] = {"devices": used[-1], "losses": losses}
print("\\n" + json.dumps([len(devices), found[1], found[2]]))
"""


def train(folder: Path) -> tuple[int, dict, dict]:
    """How many devices there are, and what trainings on one of them and on two said."""
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0",  # compiled sooner
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_two_devices_take_the_steps_of_one(tmp_path):
    pytest.importorskip("jax")
    there, one, two = train(tmp_path)
    assert (there, one["devices"], two["devices"]) == (2, 1, 2)
    assert {"loss", "val_loss"} <= one["losses"].keys()
    for name, loss in one["losses"].items():
        assert two["losses"][name] == pytest.approx(loss, rel=1e-3), name

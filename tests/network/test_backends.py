"""The same network trains under TensorFlow and under JAX, and the weights mean the same in both."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from starpoly.network.predictor import Predictor

# trains in a fresh interpreter, since a process has one backend; then answers for each folder given
TRAIN_AND_ANSWER = """
import sys
from pathlib import Path

import keras
import numpy as np

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.network.storage.folder import save_model
from starpoly.network.losses import class_loss, distance_loss, probability_loss
from starpoly.network.predictor import Predictor
from starpoly.network.architectures.unet import build_unet

own, image, *others = map(Path, sys.argv[1:])
assert keras.backend.backend() == own.name, keras.backend.backend()
keras.utils.set_random_seed(1)
config = NetworkConfig(depth=1, base_filters=4, head_filters=4, n_rays=8, n_classes=1)
model = build_unet(config)
model.compile(
    optimizer=keras.optimizers.AdamW(1e-3, use_ema=True),
    loss={
        "probability": probability_loss,
        "distances": distance_loss(8, mae_weight=0.3, iou_weight=1.0, background_weight=1e-2, scale=8.0),
        "classes": class_loss((1.0, 1.0)),
    },
)
random = np.random.default_rng(0)
inside = np.zeros((8, 8, 8, 1), np.float32)
inside[:, 2:6, 2:6] = 1
x = inside.repeat(2, axis=1).repeat(2, axis=2) + random.normal(0, 0.1, (8, 16, 16, 1)).astype(np.float32)
weight = np.ones_like(inside)
y = {
    "probability": np.concatenate([inside, weight], axis=-1),
    "distances": np.concatenate([4 * inside.repeat(8, axis=-1), inside, weight], axis=-1),
    "classes": np.concatenate([1 - inside, inside, weight], axis=-1),
}
losses = model.fit(x, y, batch_size=4, epochs=6, shuffle=False, verbose=0).history["loss"]
assert losses[-1] < losses[0], losses
save_model(own, ModelSpec(own.name, config, max_distance=50.0), model)
window = np.load(image)
for folder in (own, *others):
    answer = Predictor.load(folder, "float32")(window)
    np.savez(own / f"answer-{folder.name}.npz", **answer.arrays)
"""

BACKENDS = ("tensorflow", "jax")
FLAGS = "--xla_backend_optimization_level=0"  # compiled sooner


@pytest.mark.slow
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in BACKENDS), reason="needs both TensorFlow and JAX"
)
def test_train_under_each_and_exchange_weights(tmp_path):
    window = np.random.default_rng(7).normal(size=(1, 32, 48, 1)).astype(np.float32)
    np.save(tmp_path / "window.npy", window)
    folders = [tmp_path / backend for backend in BACKENDS]
    for index, folder in enumerate(folders):
        arguments = [folder, tmp_path / "window.npy", *folders[:index]]
        environment = {
            **os.environ,
            "KERAS_BACKEND": folder.name,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "XLA_FLAGS": FLAGS,
        }
        done = subprocess.run(
            [sys.executable, "-c", TRAIN_AND_ANSWER, *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]

    tensorflow, jax = folders
    answers = {folder: Predictor.load(folder, "float32")(window).arrays for folder in folders}
    for folder, stored in ((tensorflow, tensorflow), (tensorflow, jax), (jax, jax)):
        with np.load(stored / f"answer-{folder.name}.npz") as theirs:
            for name, tolerance in (("probability", 1e-5), ("classes", 1e-5), ("distances", 1e-4)):
                np.testing.assert_allclose(answers[folder][name], theirs[name], atol=tolerance)

"""Train a network of StarDist, in StarDist itself, on the images that starpoly's models are trained on.

    python benchmarks/peer_training.py --data DIR -o MODELDIR --steps 3600 [--init STARDIST-FOLDER] [--channels 3] [--val DIR] [--bfloat16]

``--data`` (and ``--val``) hold images/ and labels/. As StarDist's examples have it: percentiles 1 and 99.8 of each channel, flips, quarter turns,
brightness and noise at random, batches of four patches of 256 x 256, the weights of the lowest validation loss, thresholds by `optimize_thresholds`.
Images smaller than a patch are continued by reflection. The rate is 3e-4, and a third of it in the last
quarter. ``--init`` starts from the weights of another model; where that sees one channel and this one several, they share its first filters.
``--bfloat16`` lets TensorFlow compute convolutions with fewer bits, in half the time. `quality.py score MODELDIR` scores the result.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PATCH = 256
BATCH = 4
STEPS_PER_EPOCH = 100
RATE = 3e-4
LAST = 0.25


def read(folder: Path, channels: int) -> tuple[list[NDArray], list[NDArray]]:
    """Normalised images (Y, X) or (Y, X, C), and their labels, at least as large as a patch."""
    from csbdeep.utils import normalize
    from stardist import fill_label_holes

    from starpoly.images.channels import as_channels
    from starpoly.training.data import find_pairs

    images, masks = [], []
    for pair in find_pairs(folder / "images", folder / "labels"):
        labels = pair.read_labels()
        image = normalize(as_channels(pair.read_image(), channels), 1, 99.8, axis=(0, 1))
        short = [(0, max(0, PATCH - length)) for length in labels.shape]
        image, labels = np.pad(image, [*short, (0, 0)], mode="reflect"), np.pad(labels, short, mode="reflect")
        images.append(image[..., 0] if channels == 1 else image)
        masks.append(fill_label_holes(labels.astype(np.int32)))
    return images, masks


def augment(image: NDArray, labels: NDArray) -> tuple[NDArray, NDArray]:
    """Flips, quarter turns, brightness and noise."""
    turns, flip = np.random.randint(4), np.random.randint(2)  # noqa: NPY002 - StarDist seeds the global generator
    image, labels = np.rot90(image, turns, (0, 1)), np.rot90(labels, turns, (0, 1))
    if flip:
        image, labels = image[:, ::-1], labels[:, ::-1]
    image = image * np.random.uniform(0.6, 2) + np.random.uniform(-0.2, 0.2)  # noqa: NPY002
    noise = 0.02 * np.random.uniform(0, 1)  # noqa: NPY002
    return image + noise * np.random.normal(size=image.shape), labels  # noqa: NPY002


def start_from(folder: Path, model: Any) -> None:
    """Take over the weights of another StarDist model, of one channel or of as many."""
    from peer import stardist_model

    source = stardist_model(folder).keras_model.get_weights()
    target = model.keras_model.get_weights()
    if source[0].shape[2] != target[0].shape[2]:
        channels = target[0].shape[2]
        source[0] = np.repeat(source[0], channels, axis=2) / channels
    model.keras_model.set_weights(source)


def build(output: Path, args: argparse.Namespace) -> Any:
    """A network like that of StarDist's examples, of 32 rays and a grid of two pixels."""
    from stardist.models import Config2D, StarDist2D

    config = Config2D(
        n_rays=32, grid=(2, 2), n_channel_in=args.channels, train_patch_size=(PATCH, PATCH), train_batch_size=BATCH,
        train_learning_rate=RATE, train_epochs=args.steps // STEPS_PER_EPOCH, train_steps_per_epoch=STEPS_PER_EPOCH,
        train_tensorboard=False, train_reduce_lr=None,
    )  # fmt: skip
    model = StarDist2D(config, name=output.name, basedir=str(output.resolve().parent))
    if args.init:
        start_from(args.init, model)
    return model


def main() -> int:
    """Train one model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--init", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bfloat16", action="store_true")
    args = parser.parse_args()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(args.seed)
    if args.bfloat16:
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
    model = build(args.output, args)
    model.prepare_for_training()
    epochs = args.steps // STEPS_PER_EPOCH
    model.callbacks.append(
        keras.callbacks.LearningRateScheduler(lambda epoch: RATE if epoch < (1 - LAST) * epochs else RATE / 3)
    )
    model.keras_model.jit_compile = False
    train, val = read(args.data, args.channels), read(args.val, args.channels)
    model.train(*train, validation_data=val, augmenter=augment, seed=args.seed)
    model.optimize_thresholds(*val)
    return 0


if __name__ == "__main__":
    sys.exit(main())

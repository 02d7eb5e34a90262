# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6. Classes, and images without masks
#
# One model for several classes of objects, and learning from unlabelled images.

# %%
import csv
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from starpoly import NetworkConfig, StarPoly2D, TrainingConfig, UnlabelledConfig, matching, plot
from starpoly.evaluation import assign, overlaps
from starpoly.training import generate_nuclei

SMALL = bool(os.environ.get("STARPOLY_SMALL"))  # as continuous integration runs it
folder = Path(tempfile.mkdtemp()) / "two-kinds"
names = ("round", "elongated")

# %% [markdown]
# ## Classes
#
# A class is a number per label. In Python give a dict of {label: class}, for `starpoly train --classes` a CSV table `NAME.csv` with the columns
# `label` and `class`. 0, or no entry, means unknown: the model learns the object, but not its class.

# %%
made = [generate_nuclei(seed, elongated=0.5) for seed in range(8 if SMALL else 20)]
validation = [generate_nuclei(100 + seed, elongated=0.5) for seed in range(2 if SMALL else 6)]
test = [generate_nuclei(200 + seed, elongated=0.5) for seed in range(3)]
unlabelled = [generate_nuclei(300 + seed, elongated=0.5).image for seed in range(4 if SMALL else 20)]


def show_classes(axis, image, labels, classes, title):
    """Fill each object with the colour of its class."""
    plot.plot_image(axis, image, title)
    kinds = np.zeros(int(labels.max()) + 1)
    kinds[list(classes)] = list(classes.values())
    axis.imshow(np.ma.masked_equal(kinds[labels], 0), cmap=ListedColormap(["#E69F00", "#56B4E9"]), vmin=1, vmax=2, alpha=0.6, interpolation="nearest")


with open(folder.parent / "classes.csv", "w", newline="") as file:
    csv.writer(file).writerows([("label", "class"), *made[0].classes.items()])
print((folder.parent / "classes.csv").read_text().splitlines()[:4])

# %% [markdown]
# ## A training with both
#
# After half of the epochs the averaged model labels the unlabelled images. From then on training uses the sure objects and ignores the rest. This
# helps with few labels and many kinds of images; see `docs/unlabelled.md`.

# %%
network = NetworkConfig(n_rays=32, depth=2, base_filters=16, head_filters=16, n_classes=2)
training = TrainingConfig(
    epochs=4 if SMALL else 12, steps_per_epoch=75 if SMALL else 80, batch_size=2 if SMALL else 4, patch_size=(128, 128),
    learning_rate=4e-3, warmup_steps=20, ema=0.9 if SMALL else 0.95, validate_every=4, validation_patches=8,
    unlabelled=UnlabelledConfig(start=0.5, rounds=1),
)  # fmt: skip
model = StarPoly2D.train(
    [one.image for one in made], [one.labels for one in made], classes=[one.classes for one in made], class_names=names,
    validation_data=([one.image for one in validation], [one.labels for one in validation]),
    unlabelled=unlabelled, folder=folder, network=network, training=training, inspect_every=0,
)  # fmt: skip
rounds = model.spec.training["unlabelled"]
for one in rounds:
    print(
        f"after epoch {one['epoch']}: {one['objects']} objects of {one['images_used']} images are sure (score of at least {one['score']:.2f}), "
        f"{one['objects_ignored']} are not; {100 * one['pixels_ignored']:.1f} % of the pixels are ignored"
    )

# %% [markdown]
# ## What it finds

# %%
found = [model.predict_instances(one.image) for one in test]
figure, axes = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
show_classes(axes[0], test[0].image, test[0].labels, test[0].classes, "true")
labels, details = found[0]
show_classes(axes[1], test[0].image, labels, dict(enumerate(details["class_id"], start=1)), "found: orange round, blue elongated")

# %% [markdown]
# Classes of the matched objects:

# %%
table = np.zeros((2, 2), int)
for one, (labels, details) in zip(test, found, strict=True):
    shared = overlaps(one.labels, labels)
    pairs = assign(shared.true_index, shared.pred_index, shared.scores("iou"), 0.5)
    for t, p in zip(shared.true_labels[shared.true_index[pairs]], shared.pred_labels[shared.pred_index[pairs]], strict=True):
        table[one.classes[int(t)] - 1, details["class_id"][int(p) - 1] - 1] += 1
print("rows true, columns found", names)
print(table)

# %% [markdown]
# ## What this notebook claims

# %%
assert model.spec.class_names == names
assert len(rounds) == 1
assert rounds[0]["images"] == len(unlabelled)
f1 = np.mean([matching(one.labels, labels).f1 for one, (labels, _) in zip(test, found, strict=True)])
assert f1 > (0.2 if SMALL else 0.8), f1
assert np.trace(table) / table.sum() > (0.5 if SMALL else 0.85), table

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
# # 2. Training
#
# From pairs to a model: live curves, validation images during training, thresholds, and results on new images.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, clear_output, display

from starpoly import NetworkConfig, StarPoly2D, TrainingConfig, plot
from starpoly.evaluation import matching_dataset
from starpoly.training import generate_nuclei

SMALL = bool(os.environ.get("STARPOLY_SMALL"))  # as continuous integration runs it
folder = Path(tempfile.mkdtemp()) / "my-nuclei"

# %% [markdown]
# There are three sets: one to learn from, one to choose weights and thresholds, one to judge the model. They are lists of arrays; for folders
# see notebook 1, or `starpoly train`.

# %%
train, validation, test = (
    [generate_nuclei(seed) for seed in range(first, first + n)] for first, n in ((0, 6 if SMALL else 24), (100, 2 if SMALL else 6), (200, 4))
)
print([len(part) for part in (train, validation, test)], "images")

# %% [markdown]
# ## The training
#
# A small network and few steps take one or two minutes without a GPU. Leave out `network` and `training` for the defaults. starpoly calls
# `after_epoch` after each epoch; here it draws the log.

# %%
network = NetworkConfig(n_rays=32, depth=2, base_filters=16, head_filters=16)
training = TrainingConfig(
    epochs=4 if SMALL else 12, steps_per_epoch=30 if SMALL else 60, batch_size=2 if SMALL else 4, patch_size=(128, 128),
    learning_rate=4e-3, warmup_steps=20, ema=0.9 if SMALL else 0.95, validate_every=2, validation_patches=8,
)  # fmt: skip


def live(epoch):
    clear_output(wait=True)
    figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
    log = plot.read_log(folder / "training.csv")
    plot.plot_losses(axis, log, [name for name in ("loss", "val_loss") if name in log])
    axis.set_title(f"epoch {epoch} of {training.epochs}")
    display(figure)
    plt.close(figure)


model = StarPoly2D.train(
    [one.image for one in train], [one.labels for one in train],
    validation_data=([one.image for one in validation], [one.labels for one in validation]),
    folder=folder, network=network, training=training, inspect_every=4, after_epoch=live,
)  # fmt: skip
print(model, model.thresholds)

# %% [markdown]
# ## Validation images during the training
#
# Every few epochs `validation/` in the model folder gets a picture. TensorBoard shows them too (`pip install tensorboard`), and `training.html`
# shows all with the curves. True objects are above, found ones below: matched green, false orange, missed blue.

# %%
pictures = sorted((folder / "validation").glob("*.png"))
print([path.name for path in pictures])
Image(pictures[-1])

# %% [markdown]
# ## Thresholds
#
# Training ends by choosing thresholds on the validation images, for the best average precision over several IoU. You can do the same for an
# existing model:

# %%
model.optimize_thresholds([one.image for one in validation], [one.labels for one in validation])

# %% [markdown]
# ## What it finds in new images

# %%
found = [model.predict_instances(one.image)[0] for one in test]
ious = np.arange(0.5, 1.0, 0.05)
scores = matching_dataset([one.labels for one in test], found, ious)
figure, axes = plt.subplots(1, 3, figsize=(14, 4.5), layout="constrained")
plot.plot_outlines(axes[0], test[0].image, test[0].labels, "true")
plot.plot_matches(axes[1], test[0].image, test[0].labels, found[0], title="found")
plot.plot_scores(axes[2], ious, {name: [getattr(one, attribute) for one in scores] for name, attribute in (("AP", "accuracy"), ("F1", "f1"))})

# %% [markdown]
# The model folder holds JSON and arrays of numbers. Use it with `StarPoly2D.from_pretrained(folder)` or `starpoly predict --model`.

# %%
again = StarPoly2D.from_pretrained(folder)

# %% [markdown]
# ## What this notebook claims

# %%
assert (folder / "training.html").exists()
assert pictures
log = plot.read_log(folder / "training.csv")
assert log["loss"][-1] < log["loss"][0], "the loss falls"
assert scores[0].accuracy > (0.2 if SMALL else 0.8), scores[0].accuracy
assert again.thresholds == StarPoly2D.from_pretrained(folder).thresholds

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
# # 1. Data
#
# How well can a star-convex model describe your objects? Find out before you train: pairs of images and masks, sizes, reconstruction by the
# number of rays, and settings. Put in your own folders where the first cell says so.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tifffile

from starpoly import plot
from starpoly.evaluation import reconstruct
from starpoly.training import TrainingData, advise, find_pairs, generate_nuclei

SMALL = bool(os.environ.get("STARPOLY_SMALL"))  # as continuous integration runs it

# %% [markdown]
# ## Pairs
#
# You need two folders: images, and label images (0 background, 1..n objects; negative: ignore these pixels). Files pair by name, with or
# without a suffix such as `_label`. Here both are generated. For your own, set `images` and `masks` and leave out the loop.

# %%
data = Path(tempfile.mkdtemp())
images, masks = data / "images", data / "masks"
for folder in (images, masks):
    folder.mkdir(parents=True, exist_ok=True)
for seed in range(3 if SMALL else 12):
    made = generate_nuclei(seed)
    tifffile.imwrite(images / f"nuclei_{seed:02d}.tif", made.image)
    tifffile.imwrite(masks / f"nuclei_{seed:02d}_label.tif", made.labels.astype(np.uint16))

pairs = find_pairs(images, masks)
print(len(pairs), "pairs, the first is", pairs[0].name)

# %% [markdown]
# `TrainingData` reads them as a training does. It reports differing shapes, masks without objects, and ids in several pieces.

# %%
summary = TrainingData(pairs).summarize(progress=False)
print(f"{summary.n_objects.sum()} objects, the longest {summary.longest:.0f} px")

figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for axis, pair in zip(axes[:2], pairs, strict=False):
    plot.plot_outlines(axis, pair.read_image(), pair.read_labels(), pair.name)
plot.plot_sizes(axes[2], summary.diameters)

# %% [markdown]
# ## What a star-convex polygon can describe
#
# A star-convex polygon has one boundary point in each direction from its centre. `reconstruct` redraws every object of a mask from the
# distances of a perfect network. No trained model gets better than this. Round nuclei come out well; a ring or a branching cell does not,
# whatever the number of rays:

# %%
y, x = np.indices((96, 192))
hard = np.zeros((96, 192), np.int32)
hard[np.abs(np.hypot(y - 48, x - 48) - 30) < 8] = 1  # a ring
hard[(np.abs(y - 48) < 7) & (np.abs(x - 144) < 40) | (np.abs(x - 144) < 7) & (np.abs(y - 48) < 40)] = 2  # a cross
figure, axes = plt.subplots(1, 3, figsize=(13, 3.5), layout="constrained")
plot.plot_outlines(axes[0], hard > 0, hard, "a ring and a cross")
for axis, n_rays in zip(axes[1:], (8, 64), strict=True):
    drawn, polygons = reconstruct(hard, n_rays)
    plot.plot_rays(axis, hard > 0, polygons, f"{n_rays} rays")

# %% [markdown]
# ## Rays, grid, patch and scale for these masks

# %%
advice = advise([pair.read_labels() for pair in pairs])
print(advice)

figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
rays = [one.n_rays for one in advice.reconstructions]
axis.plot(rays, [one.mean_iou for one in advice.reconstructions], "o-", label="mean IoU")
axis.plot(rays, [one.scores[-1].accuracy for one in advice.reconstructions], "o-", label="AP at IoU 0.9")
axis.axvline(advice.n_rays, color="0.6", linestyle=":")
axis.set_xscale("log", base=2)
axis.set_xticks(rays, rays)
axis.set_xlabel("rays")
axis.legend()
plt.show()

# %% [markdown]
# As settings for a training:

# %%
print(f"""[network]
n_rays = {advice.n_rays}
grid = {list(advice.grid)}

[training]
patch_size = {list(advice.patch_size)}""")

# %% [markdown]
# ## What this notebook claims

# %%
assert len(pairs) == len(list(images.iterdir()))
assert 15 < np.median(summary.diameters) < 30
assert all(a.mean_iou <= b.mean_iou for a, b in zip(advice.reconstructions, advice.reconstructions[1:], strict=False))
assert advice.reconstructions[-1].mean_iou > 0.95, "round nuclei are held well"
ring, cross = (np.sum((reconstruct(hard, 64)[0] == k) & (hard == k)) / np.sum(hard == k) for k in (1, 2))
assert ring < 0.6, "a ring is not"

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
# # 3. Inspection
#
# Where is a model right, where is it wrong, and why? Look at the network's prediction, at suppression, and at the scores.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

from starpoly import StarPoly2D, matching, plot
from starpoly.evaluation import ScoredMatches, match_scored, precision_recall
from starpoly.labels import measure
from starpoly.suppression import suppress
from starpoly.training import generate_nuclei

SMALL = bool(os.environ.get("STARPOLY_SMALL"))  # as continuous integration runs it

model = StarPoly2D.from_pretrained("nuclei-fluo")
# images that get harder: fewer and fewer photons, of the last one a three-hundredth
samples = [generate_nuclei(seed, n_objects=70, diameter=18) for seed in range(3 if SMALL else 8)]
rng = np.random.default_rng(0)
images = [rng.poisson(one.image / fewer) for one, fewer in zip(samples, np.geomspace(1, 300, len(samples)), strict=True)]
truth = [one.labels for one in samples]

# %% [markdown]
# ## What the network predicts
#
# For every point of a grid it predicts the probability of lying well inside an object, and the distance to the boundary along each ray.

# %%
image = images[0]
probability, distances = model.predict(image)
labels, details = model.predict_instances(image)
candidates = model.find_candidates(image)

figure, axes = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
figure.colorbar(plot.plot_probability(axes[0], image, probability, model.spec.network.grid, "probability"), shrink=0.7)
plot.plot_rays(axes[1], image, details["polygons"], "rays of the objects")
plot.plot_candidates(axes[2], image, candidates, details["polygons"])

# %% [markdown]
# Every point above the threshold proposes a polygon. Non-maximum suppression keeps the best of those that overlap.

# %%
print(f"{len(candidates)} candidates above {model.thresholds.prob}, {len(details['polygons'])} kept at an overlap of {model.thresholds.nms}")

# %% [markdown]
# ## Matched, false and missed objects, the worst image first

# %%
found = [model.predict_instances(one) for one in images]
f1 = [matching(true, one[0]).f1 for true, one in zip(truth, found, strict=True)]
worst = np.argsort(f1)
figure, axes = plt.subplots(1, 3, figsize=(15, 5.5), layout="constrained")
ids = {}
for axis, k in zip(axes, worst, strict=False):
    ids[k] = plot.plot_matches(axis, images[k], truth[k], found[k][0], title=f"image {k}, F1 {f1[k]:.2f}")

# %% [markdown]
# ## What scores are worth
#
# Find objects with a low threshold and compare them with the truth: precision over recall, and how often objects with a score are right. A
# score tells how well inside an object its centre lies. It is not the chance of being right. The mark is the model's threshold.

# %%
pooled = ScoredMatches.concatenate(
    [match_scored(suppress(model.find_candidates(one, 0.15), model.thresholds.nms), true) for one, true in zip(images, truth, strict=True)]
)
figure, axes = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
plot.plot_precision_recall(axes[0], pooled, threshold=model.thresholds.prob)
calibration = plot.plot_reliability(axes[1], pooled)
plot.plot_score_histogram(axes[2], np.concatenate([one[1]["prob"] for one in found]), model.thresholds.prob)

# %% [markdown]
# ## Sizes
#
# Compare sizes with those the model was trained on. Do not expect much if objects are much smaller or larger, unless you rescale the image
# (`diameter` and `scale` of `predict_instances`).

# %%
sizes = np.concatenate([measure(one[0], one[1]["polygons"])["diameter"] for one in found])
figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
plot.plot_sizes(axis, sizes, model.spec.object_diameter)

# %% [markdown]
# ## What this notebook claims

# %%
assert f1[0] > 0.85, f1
assert worst[0] == len(images) - 1, "the fewest photons, the worst result"
for k, kinds in ids.items():
    stats = matching(truth[k], found[k][0])
    assert tuple(map(len, kinds.values())) == (stats.tp, stats.fp, stats.fn)
curve = precision_recall(pooled)
assert curve.precision[0] > curve.precision[-1], "the surest are right more often than all"
assert len(candidates) > len(details["polygons"])

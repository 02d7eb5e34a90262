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
# # 5. A challenge
#
# The organisers of the NeurIPS 2022 cell segmentation challenge run a container. Here we do the same without one: `predict.sh` on a folder, the
# F1 score, and the ranked time. `docs/challenge.md` is the full guide.

# %%
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from starpoly import plot, read_image
from starpoly.evaluation import neurips_score
from starpoly.io import read_labels, write_labels
from starpoly.training import generate_nuclei

SMALL = bool(os.environ.get("STARPOLY_SMALL"))  # as continuous integration runs it
repository = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "predict.sh").exists())
work = Path(tempfile.mkdtemp())
inputs, outputs, truth = (work / name for name in ("inputs", "outputs", "truth"))

# %% [markdown]
# The inputs are mixed: grey, RGB, 16 bit, a damaged file, and a file that is no image.

# %%
for folder in (inputs, truth):
    folder.mkdir()
for seed in range(2 if SMALL else 6):
    made = generate_nuclei(seed, (512, 512), n_objects=120)
    image = np.clip(made.image // 3, 0, 255).astype(np.uint8)
    Image.fromarray(image if seed % 2 else np.stack([image] * 3, axis=-1)).save(inputs / f"cell_{seed}.png")
    write_labels(truth / f"cell_{seed}_label.tiff", made.labels)
(inputs / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing follows")
(inputs / ".DS_Store").write_bytes(b"")
print(sorted(path.name for path in inputs.iterdir()))

# %% [markdown]
# ## predict.sh
#
# We make one call for the folder; the organisers start one container per image. `starpoly` comes from this environment.

# %%
started = time.perf_counter()
environment = {**os.environ, "PATH": f"{Path(shutil.which('starpoly')).parent}{os.pathsep}{os.environ['PATH']}"}
done = subprocess.run(["sh", str(repository / "predict.sh"), str(inputs), str(outputs)], env=environment, capture_output=True, text=True, check=False)
seconds = time.perf_counter() - started
print(done.stderr)
print("exit status", done.returncode)

# %% [markdown]
# ## F1
#
# F1 is computed at an IoU of 0.5 per image, without objects that touch the two outer rows or columns. Mean and median are reported. On the
# command line: `starpoly evaluate outputs truth --protocol neurips --per-image`.

# %%
names = sorted(path.name for path in truth.iterdir())
scores = [neurips_score(read_labels(truth / name), read_labels(outputs / name), (0.5,))[0] for name in names]
f1 = [one.f1 for one in scores]
for name, value in zip(names, f1, strict=True):
    print(f"{name:20} {value:.3f}")
print(f"{'median':20} {np.median(f1):.3f}")

figure, axes = plt.subplots(1, 2, figsize=(12, 6.5), layout="constrained")
for axis, k in zip(axes, np.argsort(f1), strict=False):  # the worst first
    image = read_image(inputs / names[k].replace("_label.tiff", ".png"))
    plot.plot_matches(axis, image, read_labels(truth / names[k]), read_labels(outputs / names[k]), title=f"{names[k]}, F1 {f1[k]:.2f}")

# %% [markdown]
# ## Ranked time
#
# The ranked time counts seconds beyond 10 per million pixels, at least 10. Here the whole folder runs in one process. `benchmarks/challenge.py`
# starts one process per image, as the organisers do.

# %%
megapixels = len(names) * 512 * 512 / 1e6
print(f"{seconds:.1f} s in all, ranked {max(0.0, seconds - 10 * max(1, megapixels)):.1f} s")

# %% [markdown]
# ## What this notebook claims

# %%
assert done.returncode == 0, "a damaged image is said, and costs itself alone"
assert "damaged.png" in done.stderr
assert sorted(path.name for path in outputs.glob("*_label.tiff")) == names
assert min(f1) > 0.8, f1

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
# # 4. A whole slide
#
# Segment an image that need not fit into memory: plan it, run it tile by tile, stop and continue it, and open the result in QuPath and
# napari. Results do not depend on tiling.

# %%
import json
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tifffile
import zarr

from starpoly import Box, StarPoly2D, StarpolyError, plot
from starpoly.io import open_source, subsample
from starpoly.prediction import SlideOutputs, segment_slide
from starpoly.training import generate_nuclei

SMALL = bool(os.environ.get("STARPOLY_SMALL"))  # as continuous integration runs it
work = Path(tempfile.mkdtemp())

# %% [markdown]
# The slide is a tiled TIFF with the size of its pixels. Yours may be OME-TIFF, SVS, NDPI, OME-Zarr, MIRAX ...

# %%
side = 512 if SMALL else 2048
slide = work / "slide.ome.tif"
pixels = generate_nuclei(0, (side, side), n_objects=side**2 // 1600).image
tifffile.imwrite(slide, pixels, tile=(256, 256), compression="zlib", metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5})
with open_source(slide) as source:
    print(source, source.pixel_size)

# %% [markdown]
# ## The plan
#
# Tiles follow from the model and the size of its window. You choose no overlap: the halo is the network's receptive field. Smaller tiles need
# less memory and give the same objects. These are small, so that there are several. The plot shows all cores, and the region read for one.

# %%
model = StarPoly2D.from_pretrained("nuclei-fluo")
tile_size = 384 if SMALL else 640
outputs = SlideOutputs(
    labels=work / "slide_label.tiff", zarr=work / "slide.ome.zarr", geojson=work / "slide.geojson", table=work / "slide_table.csv",
    overlay=work / "slide_overlay.png", provenance=work / "slide_provenance.json",
)  # fmt: skip
journal = work / "journal"

plan = model.plan(pixels.shape, tile_size)
print(len(plan), "tiles of", plan.window)
figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
plot.plot_image(axis, pixels)


def frame(axis, box, origin=(0, 0), step=1, **style):
    """Draw the border of a box on a picture that begins at ``origin`` and shows every ``step``-th pixel."""
    corner = (box.x0 - origin[1]) / step, (box.y0 - origin[0]) / step
    axis.add_patch(plt.Rectangle(corner, (box.x1 - box.x0) / step, (box.y1 - box.y0) / step, fill=False, **style))


for tile in plan:
    frame(axis, tile.core, color="C0", linewidth=0.7)
middle = next(tile for tile in plan if tile.core.y1 > side // 2 and tile.core.x1 > side // 2)
frame(axis, middle.core, color="C1", linewidth=2)
frame(axis, middle.read, color="C1", linewidth=1, linestyle="--")

# %% [markdown]
# ## Run, stop, continue
#
# The journal stores each finished tile. Here the slide is on a drive that is unplugged after two tiles; the same call continues from there. Ctrl-C, a
# crash or a full disk have the same effect. (Usually you pass `slide` itself.)


# %%
class Drive:
    """The slide, as long as the drive is plugged in; anything with a shape and slices can be segmented."""

    def __init__(self, source):
        self.source, self.shape, self.dtype, self.ndim = source, source.shape, source.dtype, 3
        self.plugged_in = True

    def __getitem__(self, key):
        if not self.plugged_in and len(list(journal.glob("tile_*"))) >= 2:
            raise OSError("the drive is gone")
        return self.source[key]


drive = Drive(open_source(slide))
settings = {"tile_size": tile_size, "scale": 1, "pixel_size": drive.source.pixel_size, "journal": journal}
drive.plugged_in = False
try:
    segment_slide(model, drive, outputs, **settings)
except StarpolyError as error:
    print(error)
kept = len(list(journal.glob("tile_*")))
print(kept, "tiles are in the journal")

# %%
drive.plugged_in = True
result = segment_slide(model, drive, outputs, **settings)
print(f"{result.n_objects} objects in {result.n_tiles} tiles of {result.shape[0]} x {result.shape[1]} pixels")

# %% [markdown]
# The objects are the same as from the whole image in memory:

# %%
whole, details = model.predict_instances(pixels, scale=1)
print(len(details["polygons"]), "objects")

# %% [markdown]
# ## A look at it
#
# Regions and reduced views are read without the rest. No seams are visible.

# %%
seam_y, seam_x = plan.tiles[0].core.y1, plan.tiles[0].core.x1
part = Box(seam_y - 120, seam_x - 120, seam_y + 120, seam_x + 120)
with open_source(slide) as image, open_source(outputs.labels) as labels:
    figure, axes = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
    step = side // 512
    plot.plot_image(axes[0], subsample(image, step), f"every {step}th pixel" if step > 1 else "all of it")
    frame(axes[0], part, step=step, color="C1", linewidth=2)
    plot.plot_outlines(axes[1], image[part.slices], labels[part.slices][..., 0], "the part in the frame, with seams of tiles")
    for tile in plan:
        frame(axes[1], tile.core, (part.y0, part.x0), color="1", linewidth=0.7, linestyle=":")
    axes[1].set(xlim=(-0.5, 239.5), ylim=(239.5, -0.5))

# %% [markdown]
# ## QuPath
#
# Drag `slide.geojson` onto the open slide, or use File > Import objects from file. Every object becomes a detection with measurements.

# %%
features = json.loads(outputs.geojson.read_text(encoding="utf-8"))["features"]
print(len(features), "features, the first:", features[0]["properties"]["objectType"], features[0]["properties"].get("measurements"))

# %% [markdown]
# ## napari
#
# `starpoly view slide.ome.tif slide_label.tiff`, or drag `slide.ome.zarr` into napari. In Python:

# %%
group = zarr.open_group(outputs.zarr, mode="r")
print(dict(group.attrs)["ome"].keys() if "ome" in group.attrs else list(group.attrs), list(group.members()))

# %% [markdown]
# ## What this notebook claims

# %%
written = tifffile.imread(outputs.labels)
assert written.shape == pixels.shape
assert result.n_objects == written.max() == len(features)
assert not journal.exists(), "nothing is left of the run but its results"
assert 2 <= kept < result.n_tiles, "it was stopped on its way"
assert abs(len(details["polygons"]) - result.n_objects) <= 1, "the last bit of float32 may differ between windows"
assert np.mean((written > 0) == (whole > 0)) > 0.9999
record = json.loads(outputs.provenance.read_text(encoding="utf-8"))
assert record["model"]["name"] == "nuclei-fluo"

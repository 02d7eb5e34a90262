"""Draws the picture of README.md: three demo images, each segmented with the model that starpoly chooses for it.

python docs/result.py [--output docs/images/result.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from starpoly import plot
from starpoly.cli.demo import demo_images
from starpoly.prediction import choose_model

HERE = Path(__file__).resolve().parent
#: what is shown of each image: title, first row, first column, height (pixels)
SHOWN = {
    "fluorescence_nuclei": ("fluorescence", 100, 300, 300),
    "stained_tissue": ("stained tissue", 16, 20, 240),
    "brightfield_cells": ("brightfield", 25, 90, 330),
}
ASPECT = 1.25


def draw(output: Path) -> None:
    """Images side by side, every object outlined in a colour of its own."""
    figure, axes = plt.subplots(1, len(SHOWN), figsize=(13.5, 3.85), layout="constrained")
    images = demo_images()
    for axis, (name, (title, top, left, height)) in zip(axes, SHOWN.items(), strict=True):
        image = images[name]
        _, details = choose_model(image).predict_instances(image)
        plot.plot_image(axis, image, title)
        coordinates = details["coord"]
        colors = plot.label_colors(np.arange(1, len(coordinates) + 1), dark=np.median(image) < 200) / 255
        for color, (y, x) in zip(colors, coordinates, strict=True):
            axis.plot(np.append(x, x[0]), np.append(y, y[0]), color=color, linewidth=1.6)
        axis.set(xlim=(left, left + ASPECT * height), ylim=(top + height, top))
    save_with_few_colours(figure, output)


def save_with_few_colours(figure: plt.Figure, output: Path) -> None:
    """As a PNG with a palette, a third of the size."""
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE).save(output, optimize=True)


if __name__ == "__main__":
    plt.switch_backend("Agg")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE / "images" / "result.png")
    draw(parser.parse_args().output)

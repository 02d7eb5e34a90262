"""Label maps: made shapes, one file per family, and real masks.

A shape is a function of a generator, the image's size and a diameter in pixels; it returns raw labels (Y, X) int32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .blobs import blobs, discs, rosettes
from .rods import chains, columns, layers, rods
from .sheets import confluent, foam, honeycomb, walls
from .spread import spindles, spread
from .yeast import yeast

Shape = Callable[[Generator, tuple[int, int], float], NDArray[np.int32]]

SHAPES: dict[str, Shape] = {
    "blobs": blobs,
    "discs": discs,
    "rosettes": rosettes,
    "rods": rods,
    "chains": chains,
    "layers": layers,
    "columns": columns,
    "yeast": yeast,
    "honeycomb": honeycomb,
    "walls": walls,
    "confluent": confluent,
    "foam": foam,
    "spread": spread,
    "spindles": spindles,
}

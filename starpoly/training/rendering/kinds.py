"""What can be rendered: for each kind a look, the shapes it suits, its diameters and its share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .looks import borders, fluorescence, stained, transmitted
from .scene import Scene

Look = Callable[[Generator, Scene], NDArray[np.floating]]


@dataclass(frozen=True)
class Kind:
    """One way to draw one family of label maps.

    Parameters
    ----------
    look : callable
        From a generator and a scene to light (Y, X, 1 or 3), from 0 to about 1.
    shapes : dict
        Weight of each shape that it suits, by name; ``"real"`` for masks of training images.
    diameters : (float, float)
        Least and largest diameter in pixels.
    share : float
        How often it is drawn, relative to the others.
    bright : bool
        Whether the background is bright.
    rim : float
        How often masks reach beyond the bodies, as where the bright rim of a cell was counted in.
    """

    look: Look
    shapes: dict[str, float]
    diameters: tuple[float, float]
    share: float
    bright: bool = True
    rim: float = 0.0


_NUCLEI = {"blobs": 5.0, "rosettes": 0.6, "spindles": 0.3, "real": 3.0}
_CELLS = {"spread": 3.0, "spindles": 1.0, "confluent": 2.0, "blobs": 1.5, "foam": 0.7, "real": 1.0}
_ROUND = {"blobs": 3.0, "discs": 1.0, "yeast": 2.0, "real": 1.0}
_RODS = {"rods": 3.0, "chains": 1.0, "layers": 3.0, "columns": 0.8}
_SHEETS = {"honeycomb": 2.0, "walls": 2.0, "foam": 1.0, "confluent": 1.0}

#: Kinds of rendered images by name.
KINDS: dict[str, Kind] = {
    "fluorescence nuclei": Kind(fluorescence.nuclei, _NUCLEI, (8, 100), 1.0, bright=False),
    "fluorescence nuclei, colour": Kind(fluorescence.of_nuclei, _NUCLEI, (8, 80), 1.3, bright=False),
    "fluorescence cells": Kind(fluorescence.cells, _CELLS, (20, 110), 0.8, bright=False),
    "fluorescence cells, colour": Kind(fluorescence.of_cells, _CELLS, (20, 110), 1.2, bright=False),
    "fluorescence bacteria": Kind(fluorescence.bacteria, _RODS, (8, 40), 0.6, bright=False),
    "phase contrast cells": Kind(
        transmitted.phase_contrast_cells, {**_CELLS, "spread": 4.5, "discs": 0.5}, (20, 130), 2.4
    ),
    "phase contrast yeast": Kind(transmitted.phase_contrast, _ROUND, (10, 60), 0.7, rim=0.4),
    "phase contrast bacteria": Kind(transmitted.bacteria, _RODS, (8, 40), 1.0, rim=0.4),
    "DIC": Kind(transmitted.dic, {**_CELLS, **_ROUND}, (12, 110), 1.1),
    "DIC bacteria": Kind(transmitted.dic, _RODS, (10, 40), 0.3, rim=0.4),
    "DIC blood": Kind(transmitted.dic_blood, {"discs": 4.0, "blobs": 1.0}, (12, 70), 0.4),
    "brightfield blood": Kind(transmitted.brightfield_blood, {"discs": 4.0, "blobs": 1.0}, (12, 70), 0.3),
    "brightfield round": Kind(transmitted.brightfield, _ROUND, (10, 80), 1.0, rim=0.4),
    "brightfield cells": Kind(transmitted.brightfield, {**_CELLS, **_SHEETS}, (20, 110), 0.8),
    "brightfield bacteria": Kind(transmitted.brightfield, _RODS, (8, 40), 0.4, rim=0.4),
    "absorbing": Kind(transmitted.absorbing, {**_CELLS, **_ROUND, **_RODS}, (10, 100), 0.5),
    "membranes": Kind(borders.membranes, _SHEETS, (12, 110), 1.1, bright=False),
    "membranes, colour": Kind(borders.membranes_colour, _SHEETS, (15, 110), 0.7, bright=False),
    "specular": Kind(borders.specular, {"honeycomb": 3.0, "walls": 1.0, "real": 0.5}, (12, 60), 0.8),
    "outlined": Kind(borders.outlined, _SHEETS, (12, 100), 0.4),
    "haematoxylin and eosin": Kind(stained.haematoxylin_eosin, _NUCLEI, (8, 70), 1.8),
    "immunohistochemistry": Kind(stained.immunohistochemistry, _NUCLEI, (8, 60), 0.7),
    "one dye": Kind(stained.one_dye, _NUCLEI, (8, 80), 1.2),
    "cytology": Kind(stained.cytology, {**_CELLS, "blobs": 3.0}, (20, 110), 0.6),
    "blood film": Kind(stained.blood_film, {"discs": 4.0, "blobs": 1.0}, (12, 70), 0.9),
}


def kind_names() -> list[str]:
    """Names of the kinds of rendered images."""
    return list(KINDS)

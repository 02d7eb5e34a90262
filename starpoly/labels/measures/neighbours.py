"""Neighbours: how many other objects are near."""

from __future__ import annotations

from numpy.typing import NDArray

from ...geometry.object_surroundings import object_neighbours
from .columns import Column
from .window import Window

REACH = 5
"""Pixels up to which another object is near."""

COLUMNS = (
    Column(
        "n_neighbours",
        "",
        f"number of other objects with a pixel at most {REACH} px away from the object, the larger of the distances along y and x",
        "int",
    ),
)


def measure(window: Window) -> dict[str, NDArray]:
    """The columns of some objects; see :data:`COLUMNS`."""
    return {"n_neighbours": object_neighbours(window.labels, window.ids, window.boxes, reach=REACH)}

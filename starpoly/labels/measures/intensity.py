"""Intensity: statistics of each channel in the object, and the background around it."""

from __future__ import annotations

from numpy.typing import NDArray

from ...geometry.object_surroundings import object_intensities
from .columns import Column
from .window import Window

GAP = 1
"""Pixels around an object that do not count as background: blurred light of the object."""
REACH = 5
"""Pixels around an object in which its background is measured: less than the distance of most neighbours."""

_WHEN = "each channel of the file"
COLUMNS = (
    Column("mean_{channel}", "intensity", "mean in the object", "float", _WHEN),
    Column("median_{channel}", "intensity", "median in the object; the mean of the two middle values of an even number", "float", _WHEN),
    Column("std_{channel}", "intensity", "standard deviation in the object, divided by the number of pixels", "float", _WHEN),
    Column("min_{channel}", "intensity", "smallest value in the object", "float", _WHEN),
    Column("max_{channel}", "intensity", "largest value in the object", "float", _WHEN),
    Column("sum_{channel}", "intensity", "sum over the object", "float", _WHEN),
    Column(
        "background_{channel}",
        "intensity",
        f"mean of the pixels without any object that are {GAP + 1} to {REACH} px away from the object, the larger of the "
        "distances along y and x; empty if there are none",
        "float",
        _WHEN,
    ),
)  # fmt: skip


def measure(window: Window) -> dict[str, NDArray]:
    """The columns of some objects; see :data:`COLUMNS`. Values that are not finite do not count."""
    found = object_intensities(window.labels, window.ids, window.boxes, window.pixels, gap=GAP, reach=REACH)
    return {
        column.name.format(channel=channel): found[:, c, k]
        for c, channel in enumerate(window.channels)
        for k, column in enumerate(COLUMNS)
    }

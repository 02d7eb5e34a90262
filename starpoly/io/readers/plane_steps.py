"""Distance of z-slices and of time points, from file metadata."""

from __future__ import annotations

import math
from typing import Any

from .pixel_size import length_in_micrometres, ome_pixels

SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
}
"""Units of time by lower-case name."""


def in_seconds(duration: object, unit: object) -> float | None:
    """A stated duration; None if it is no positive number in a known unit."""
    factor = SECONDS.get(str(unit).strip().lower())
    try:
        value = float(str(duration)) * factor if factor else 0.0
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def steps_of_tiff(tiff: Any, image: int = 0) -> tuple[float | None, float | None]:
    """Micrometres between z-slices and seconds between time points of an image; None where the file states none."""
    if tiff.is_ome:
        return _steps_of_ome(tiff.ome_metadata or "", image)
    if tiff.is_imagej:
        stated = tiff.imagej_metadata or {}
        return (
            length_in_micrometres(stated.get("spacing"), stated.get("unit", "")),
            in_seconds(stated.get("finterval"), stated.get("tunit", "s")),
        )
    if tiff.is_lsm:
        stated = tiff.lsm_metadata or {}
        return length_in_micrometres(stated.get("VoxelSizeZ"), "m"), in_seconds(stated.get("TimeIntervall"), "s")
    return None, None


def _steps_of_ome(xml: str, image: int) -> tuple[float | None, float | None]:
    pixels = ome_pixels(xml, image)
    if pixels is None:
        return None, None
    return (
        length_in_micrometres(pixels.get("PhysicalSizeZ"), pixels.get("PhysicalSizeZUnit", "µm")),
        in_seconds(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")),
    )

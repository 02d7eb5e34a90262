"""Pixel sizes from file metadata."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

from ..frame import PIXEL_SIZES

PixelSize = tuple[float, float]
"""Micrometres (y, x)."""

MICROMETRES = {
    **dict.fromkeys(("µm", "μm", "um", "\\u00b5m", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("å", "angstrom"), 1e-4),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("inch", "in"), 25_400.0),
}
"""Units by lower-case name."""

PLAUSIBLE = (0.01, 20.0)
"""Range of pixel sizes in micrometres in which a resolution per inch or cm is believed: many programs write 72, 96 or
300 dots per inch for the printer."""


def in_micrometres(y: object, x: object, unit: object, unit_x: object = None) -> PixelSize | None:
    """A stated size as a pixel size; None if it is not two positive numbers in a known unit of length.

    ``unit_x`` is the unit of ``x`` where it has one of its own.
    """
    sizes = length_in_micrometres(y, unit), length_in_micrometres(x, unit if unit_x is None else unit_x)
    if (
        sizes[0] is None
        or sizes[1] is None
        or not all(PIXEL_SIZES[0] <= size <= PIXEL_SIZES[1] for size in sizes if size)
    ):
        return None
    return sizes[0], sizes[1]


def length_in_micrometres(length: object, unit: object) -> float | None:
    """A stated length; None if it is no positive number in a known unit."""
    factor = MICROMETRES.get(str(unit).strip().lower())
    try:
        value = float(str(length)) * factor if factor else 0.0
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def pixel_size_of_tiff(tiff: Any, page: Any, image: int = 0) -> PixelSize | None:
    """Pixel size at full resolution.

    Parameters
    ----------
    tiff : tifffile.TiffFile
    page : tifffile.TiffPage
        The first page of the image.
    image : int
        Which image of an OME-TIFF.
    """
    if tiff.is_ome:
        size = pixel_size_of_ome(tiff.ome_metadata or "", image)
        if size is not None:
            return size
    if tiff.is_svs:
        stated = re.search(r"\bMPP\s*=\s*([0-9.eE+-]+)", page.description or "")
        if stated:
            return in_micrometres(stated[1], stated[1], "um")
    for read in (_size_of_lsm, _size_of_metamorph, _size_of_bif):
        with suppress(Exception):  # metadata that cannot be read state none
            size = read(tiff, page)
            if size is not None:
                return size
    return _size_from_resolution(page, _unit_of_imagej(tiff))


def _size_of_lsm(tiff: Any, page: Any) -> PixelSize | None:
    metadata = tiff.lsm_metadata if tiff.is_lsm else None
    return in_micrometres(metadata["VoxelSizeY"], metadata["VoxelSizeX"], "m") if metadata else None


def _size_of_metamorph(tiff: Any, page: Any) -> PixelSize | None:
    """Of a STK file, or of a plane that MetaXpress wrote."""
    if tiff.is_stk:
        metadata = tiff.stk_metadata
        return in_micrometres(metadata["YCalibration"], metadata["XCalibration"], metadata["CalibrationUnits"])
    if tiff.is_metaseries:
        plane = tiff.metaseries_metadata["PlaneInfo"]
        return in_micrometres(
            plane["spatial-calibration-y"], plane["spatial-calibration-x"], plane["spatial-calibration-units"]
        )
    return None


def _size_of_bif(tiff: Any, page: Any) -> PixelSize | None:
    """Of the scan; a file states it in its first page, the label's."""
    if not tiff.is_bif:
        return None
    texts = b"".join(bytes(stating.tags.valueof("XMP", b"")) for stating in (tiff.pages.first, page))
    stated = re.search(rb'\bScanRes="([0-9.]+)"', texts)
    return in_micrometres(stated[1].decode(), stated[1].decode(), "um") if stated else None


def pixel_size_of_ome(xml: str, image: int = 0) -> PixelSize | None:
    """``PhysicalSizeY`` and ``PhysicalSizeX`` of an image in OME-XML; micrometres unless it says otherwise."""
    pixels = ome_pixels(xml, image)
    if pixels is None:
        return None
    y, x = (pixels.get(f"PhysicalSize{axis}") for axis in "YX")
    return in_micrometres(y, x, *(pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YX"))


def ome_pixels(xml: str, image: int = 0) -> ElementTree.Element | None:
    """The element ``Pixels`` of an image in OME-XML; None where there is none."""
    try:
        found = ElementTree.fromstring(xml).findall(".//{*}Pixels")
    except ElementTree.ParseError:
        return None
    return found[image] if image < len(found) else None


def _unit_of_imagej(tiff: Any) -> str | None:
    return str((tiff.imagej_metadata or {}).get("unit", "")) if tiff.is_imagej else None


def _size_from_resolution(page: Any, imagej_unit: str | None) -> PixelSize | None:
    """From the tags for pixels per unit; ImageJ has units of its own."""
    tags = page.tags
    unit = imagej_unit or {2: "inch", 3: "cm"}.get(int(tags.valueof("ResolutionUnit", 1)))
    sizes = []
    for name in ("YResolution", "XResolution"):
        numerator, denominator = tags.valueof(name, (0, 1))
        sizes.append(denominator / numerator if numerator else 0.0)
    size = in_micrometres(sizes[0], sizes[1], unit)
    return size if size is not None and PLAUSIBLE[0] <= min(size) <= max(size) <= PLAUSIBLE[1] else None


def scaled(size: PixelSize | None, full: tuple[int, int], level: tuple[int, int]) -> PixelSize | None:
    """The pixel size at a level of a pyramid, from that at full resolution."""
    return None if size is None else (size[0] * full[0] / level[0], size[1] * full[1] / level[1])

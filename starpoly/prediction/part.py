"""The part of an image to segment: level, channels, region and pixel size."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, ImageError
from ..tiling import Box
from .plane_selection import is_number

if TYPE_CHECKING:
    from ..io.readers.source import Source
    from .region_masks import RegionMask

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImagePart:
    """A part of an image. Default: the whole image.

    Parameters
    ----------
    level : int
        Level of a pyramid, 0 the finest.
    channels : sequence of int or str, optional
        Channels to use, by index from 0 or by the name that the file states.
    scene : int, optional
        Scene of a file that holds several, counted from 0. Default: the first, with a warning.
    t, z : int, slice, sequence of int or str, optional
        Time points and z-slices, counted from 0: ``3``, ``slice(2, 10)``, ``[0, 4, 7]``, or the same as text, ``"2:10"``.
        A single number removes the axis from the results. Default: all.
    project : {"max", "mean", "focus"}, optional
        Segment a projection over z: largest value, mean, or of each pixel the plane that is sharpest there.
    roi : Box, optional
        Region, in pixels of the level. Label images hold the region; outlines lie in the whole slide.
    mask : path or array-like, optional
        Mask of any size with the level's aspect ratio. Objects with a centre at mask value 0 are dropped.
    tissue : {"auto"}, optional
        Skip empty glass, see ``find_tissue``.
    pixel_size : (float, float), optional
        Micrometres per pixel (y, x) of the level. Overrides the file.
    merge_channels : bool
        Merge unsupported channels into grey, with a warning instead of an error; up to four pages of a file that names
        neither planes nor channels are channels.
    axes : str, optional
        Axes of an array, such as ``"CYX"`` or ``"TZCYX"``, see :func:`starpoly.io.open_stack`. Files name their own axes.
        Results have its axes without C; those of one image have axes YX.
    normalizer : bool, Normalizer or csbdeep.data.Normalizer
        As for :meth:`starpoly.StarPoly2D.predict_instances`.
    inputs : tuple of int, optional
        Which of the opened channels the network gets, in its order, where a look at the image chose them. Default: as many
        as it takes, see ``starpoly.images.channels.map_channels``.
    """

    level: int = 0
    channels: Sequence[int | str] | None = None
    roi: Box | None = None
    mask: Any = None
    tissue: str | None = None
    pixel_size: tuple[float, float] | None = None
    merge_channels: bool = False
    axes: str | None = None
    normalizer: Any = True
    scene: int | None = None
    t: Any = None
    z: Any = None
    project: str | None = None
    inputs: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.mask is not None and self.tissue is not None:
            raise ConfigError("expected a mask or tissue='auto', got both; choose one")
        if self.tissue not in (None, "auto"):
            raise ConfigError(f"tissue: expected 'auto', got {self.tissue!r}")

    @property
    def is_whole(self) -> bool:
        """Whether this is the whole finest level."""
        return not (self.level or self.roi is not None or self.has_region)

    @property
    def has_region(self) -> bool:
        """Whether a mask or tissue restricts the analysis."""
        return self.mask is not None or self.tissue is not None

    @property
    def fits_any_image(self) -> bool:
        """Whether the part is valid for every image: no level, channels, region or mask."""
        return not (self.level or self.channels or self.roi is not None or self.mask is not None)

    def kept(self, axes: Sequence[tuple[str, float | None]]) -> tuple[tuple[str, float | None], ...]:
        """Those of the axes of length 1 that results keep: a single number removes an axis, and so does a projection over z."""
        removed = {"T": is_number(self.t), "Z": is_number(self.z) or self.project is not None}
        return tuple(of for of in axes if not removed[of[0]])

    def region(self, image: Any, source: Source) -> RegionMask | None:
        """The region to analyse, from mask or tissue; None for everywhere.

        Parameters
        ----------
        image : path or array-like
            The image as given.
        source : Source
            This part of the image.
        """
        if not self.has_region:
            return None
        from ..io.readers.images import open_source
        from .region_masks import read_mask
        from .tissue import find_tissue

        if self.mask is not None:
            what, region = "mask", read_mask(self.mask, source.levels[source.level])
            (y, x), (height, width) = source.offset, source.shape[:2]
            region = region.within(Box(y, x, y + height, x + width))
            if not region.overlaps(Box(0, 0, height, width)):
                raise ImageError(
                    f"{source.name}: expected a mask that is not zero where to look, got zeros in the whole region"
                )
        else:

            def open_level(level: int, box: Box) -> Source:
                return open_source(image, level=level, channels=self.channels, roi=box)

            what, region = "tissue", find_tissue(source, open_level if isinstance(image, str | Path) else None)
        _log.info("%s: %.3g %% of the image is segmented", what, 100 * region.fraction)
        return region

    def identity(self, region: RegionMask | None) -> dict[str, Any]:
        """Identity of this part, as JSON types."""
        roi = self.roi
        planes = {name: getattr(self, name) for name in ("scene", "t", "z", "project")}
        chosen = {name: str(value) for name, value in planes.items() if value is not None}
        return {
            "level": self.level,
            "channels": None if self.channels is None else list(self.channels),
            "roi": None if roi is None else [roi.y0, roi.x0, roi.y1, roi.x1],
            "mask": None if region is None else region.fingerprint(),
            **({"planes": chosen} if chosen else {}),
            **({} if self.inputs is None else {"inputs": list(self.inputs)}),
        }

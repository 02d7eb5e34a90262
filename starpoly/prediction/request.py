"""What is asked of an image: how objects are detected, in which part of it, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..detection.options import DetectionOptions
from ..errors import ConfigError
from ..labels.expansion import Expansion
from ..labels.linking import MIN_IOU
from ..labels.measures.registry import DEFAULT, select_measures
from .formats import SlideOutputs
from .part import ImagePart


@dataclass(frozen=True)
class Analysis:
    """What is made of the objects of an image.

    Parameters
    ----------
    expand : Expansion, optional
        Distance by which nuclei grow to cells.
    measure : tuple of str
        What the table holds, see :data:`starpoly.labels.measures.registry.MEASURES`.
    link : {"z", "t"}, optional
        Axis of a stack along which objects of neighbouring planes that overlap get one id.
    link_iou : float
        Least intersection over union of linked objects.
    """

    expand: Expansion | None = None
    measure: tuple[str, ...] = DEFAULT
    link: str | None = None
    link_iou: float = MIN_IOU

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Analysis:
        """From settings by name, as people write them: ``expand="5um"``, ``measure="all"``.

        Raises
        ------
        ConfigError
            If a distance or a measurement is none.
        """
        found = dict(settings)
        if found.get("expand") is not None:
            found["expand"] = Expansion.of(found["expand"])
        if "measure" in found:
            found["measure"] = select_measures(found["measure"])
        return cls(**found)

    def columns(self, outputs: SlideOutputs) -> dict[str, Any]:
        """What the columns of the objects depend on, as JSON types."""
        found = {} if self.expand is None else {"expand": str(self.expand)}
        return found | ({"measure": list(self.measure)} if outputs.measured else {})

    def check(self, outputs: SlideOutputs) -> None:
        """Refuse files that need something else to be asked for, too.

        Raises
        ------
        ConfigError
            If there is a file for cells, and no distance.
        """
        if outputs.cells is not None and self.expand is None:
            raise ConfigError(f"{outputs.cells}: expected a distance to expand nuclei by, got none; give expand")


@dataclass(frozen=True)
class PredictionRequest:
    """Settings for an image, or for all images of a run.

    Parameters
    ----------
    options : DetectionOptions
    part : ImagePart
        Its mask is a file or, for several images, a folder of masks with matching names.
    analysis : Analysis
    tolerant : bool
        Write empty labels for unreadable images (:mod:`starpoly.prediction.tolerance`) and merge unsupported channels.
    """

    options: DetectionOptions = field(default_factory=DetectionOptions)
    part: ImagePart = field(default_factory=ImagePart)
    analysis: Analysis = field(default_factory=Analysis)
    tolerant: bool = False

    @classmethod
    def by_name(
        cls, options: DetectionOptions | None, part: ImagePart | None, settings: Mapping[str, Any]
    ) -> PredictionRequest:
        """Options and part, some of their fields changed by name, with the fields of an analysis.

        Raises
        ------
        ConfigError
            If a name is unknown, or a value is out of range.
        """
        left = dict(settings)
        of_part, of_analysis = (
            {name: left.pop(name) for name in [one.name for one in fields(kind)] if name in left}
            for kind in (ImagePart, Analysis)
        )
        return cls(
            DetectionOptions.of(options, left), replace(part or ImagePart(), **of_part), Analysis.of(of_analysis)
        )

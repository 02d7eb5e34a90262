"""Results protocol: the results of one image, complete or still growing.

A format is a module of this package with ``write_results(path, results)``, which writes one file or folder whole or not at
all. It asks for what it needs alone; what is not certain yet makes it wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ...polygons import StarPolygons
from .pyramid import LabelStack, RegionLabels


class Results(Protocol):
    """The objects of one image, as polygons with measurements and as labels."""

    @property
    def labels(self) -> RegionLabels:
        """The label image. Writing may raise while more objects are found than its dtype numbers: ask anew then."""
        ...

    @property
    def stack(self) -> LabelStack | None:
        """The label images of a stack, which has no ``labels``; None of one image."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        ...

    @property
    def pixel_size(self) -> tuple[float, float] | None:
        """Micrometres per pixel (y, x), None where they are not known."""
        ...

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the classes 1, 2 ...; empty where classes are numbers or none."""
        ...

    def objects(self) -> Iterator[tuple[StarPolygons, Mapping[str, Any]]]:
        """All objects by label, some at a time and at least once: polygons, and their columns (``label`` among them).

        Of a stack they come plane by plane, and columns ``t`` and ``z`` say where it lies in the image.
        """
        ...

"""Results protocol: the results of one image, complete or still growing.

A format is a module of this package with ``write_results(path, results)``, which writes one file or folder whole or not at
all. It asks for what it needs alone; what is not certain yet makes it wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...polygons import StarPolygons
from ..frame import Frame
from .pyramid import LabelStack, RegionLabels


class Cells(RegionLabels, Protocol):
    """A label image of cells around nuclei of the same labels."""

    @property
    def nuclei(self) -> RegionLabels:
        """The label image of the nuclei."""
        ...

    def boxes(self, polygons: StarPolygons) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Corners (y, x) of half-open boxes (n, 2) around the cells of nuclei."""
        ...


class Plane(Protocol):
    """The objects of one plane."""

    @property
    def cells(self) -> Cells | None:
        """The label image of the cells, None where nuclei were not expanded."""
        ...

    def outlined(self) -> Iterator[tuple[StarPolygons, Mapping[str, Any]]]:
        """As :meth:`Results.objects`, with the outlines of masks that are not their polygon's."""
        ...


class Results(Plane, Protocol):
    """The objects of one image, as polygons with measurements and as labels."""

    @property
    def labels(self) -> RegionLabels:
        """The label image. Writing may raise while more objects are found than its dtype numbers: ask anew then."""
        ...

    @property
    def cells(self) -> Cells | None:
        """The label image of the cells, None where nuclei were not expanded; asked for anew like ``labels``."""
        ...

    @property
    def stack(self) -> LabelStack | None:
        """The label images of a stack, which has no ``labels`` and ``cells``; None of one image."""
        ...

    @property
    def cell_stack(self) -> LabelStack | None:
        """The label images of the cells of a stack, None where nuclei were not expanded."""
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
    def frame(self) -> Frame:
        """Where the image lies in its file."""
        ...

    @property
    def origin(self) -> str | None:
        """Hash of the image's content; None where it was given as an array or is a folder."""
        ...

    @property
    def hyperstack(self) -> bool:
        """Whether ImageJ counts the planes of the image along several axes."""
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

    def measured(self, *, outlined: bool = False) -> Iterator[tuple[StarPolygons, Mapping[str, Any]]]:
        """As :meth:`objects` or :meth:`outlined`, with further columns: all that was to be measured."""
        ...

    def planes(self) -> Iterator[Plane]:
        """The planes of a stack, each to be used before the next one; of one image that alone."""
        ...

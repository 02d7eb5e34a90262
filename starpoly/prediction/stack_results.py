"""Results of a stack for the writers: labels, cells and objects, plane by plane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.frame import Frame
from ..io.readers.source import Source
from ..io.writers.pyramid import LabelStack, RegionLabels
from ..io.writers.results import Cells, Plane
from ..labels.expansion import ExpandedLabels
from ..labels.linking import StackIds
from ..polygons import StarPolygons
from ..tiling import Box
from .plane_store import PlaneStore
from .planes import ChosenPlanes
from .provenance import describe_stack
from .request import PredictionRequest

Objects = tuple[StarPolygons, dict[str, Any]]


class StackResults:
    """Results of all planes, see :class:`starpoly.io.writers.results.Results`.

    Parameters
    ----------
    store : PlaneStore
        All planes.
    planes : ChosenPlanes
    ids : StackIds
    class_names : sequence of str
    request : PredictionRequest
    origin : str, optional
        Hash of the image's content.
    """

    def __init__(
        self,
        store: PlaneStore,
        planes: ChosenPlanes,
        ids: StackIds,
        class_names: tuple[str, ...],
        request: PredictionRequest,
        origin: str | None = None,
    ) -> None:
        self._store, self._planes, self._ids, self._request = store, planes, ids, request
        self.origin = origin
        self.class_names: Sequence[str] = class_names
        with planes.open(planes.middle) as source:
            self.shape: tuple[int, int] = source.shape[:2]
            self.pixel_size, self.frame = source.pixel_size, Frame.of(source)
            self.hyperstack = is_hyperstack(planes, source)
        expand = request.analysis.expand
        self._reach = None if expand is None else expand.reach(self.pixel_size)

    @property
    def labels(self) -> RegionLabels:
        """Not of a stack."""
        raise AttributeError("a stack has no single label image")

    cells: Cells | None = None

    @property
    def stack(self) -> LabelStack:
        """The labels of all planes."""
        return self._stack_of(self.labels_of)

    @property
    def cell_stack(self) -> LabelStack | None:
        """The cells of all planes, None where nuclei were not expanded."""
        return None if self._reach is None else self._stack_of(self._cells_of)

    def _stack_of(self, open_labels: Callable[[int], AbstractContextManager[RegionLabels]]) -> LabelStack:
        return _LabelPlanes(self._planes, self.shape, self.pixel_size, self.frame, self._ids.dtype, open_labels)

    def labels_of(self, number: int) -> AbstractContextManager[RegionLabels]:
        """Open the labels of a plane."""
        return self._store.labels(number, self._ids.of(number))

    @contextmanager
    def _cells_of(self, number: int) -> Iterator[_PlaneCells]:
        assert self._reach is not None
        ids = self._ids.of(number)
        # which of two nuclei is nearer must not depend on what their ids become
        with self._store.labels(number, np.arange(len(ids), dtype=np.uint32)) as own:
            margin = next(iter(self._store.objects(number))).margin
            yield _PlaneCells(ExpandedLabels(own, self._reach, margin), ids)

    def planes(self) -> Iterator[Plane]:
        """The planes, each open until the next one."""
        for number in range(len(self._planes)):
            if self._reach is None:
                yield _StackPlane(self, number, None)
                continue
            with self._cells_of(number) as cells:
                yield _StackPlane(self, number, cells)

    def objects(self) -> Iterator[Objects]:
        """Objects plane by plane, in parts: their place, and their columns with the ids of the stack."""
        return self.measured_of(range(len(self._planes)), wanted=False)

    outlined = objects

    def measured(self, *, outlined: bool = False) -> Iterator[Objects]:
        """As :meth:`objects`, with all measurements."""
        return self.measured_of(range(len(self._planes)))

    def measured_of(self, numbers: Iterable[int], *, wanted: bool = True) -> Iterator[Objects]:
        """The objects of some planes, with all measurements if they are wanted."""
        for number in numbers:
            ids = self._ids.of(number)
            for found in self._store.objects(number):
                own = found.columns | {"label": _renumbered(found.columns["label"], ids)}
                yield found.polygons, own | (found.measured if wanted else {})

    def provenance(self) -> dict[str, Any]:
        """The record of the run."""
        analysis, planes = self._request.analysis, self._planes
        places = [planes.place(number) for number in range(len(planes))]
        records = [self._store.provenance(number) for number in range(len(planes))]
        stack: dict[str, Any] = {"axes": planes.axes, "lengths": list(planes.lengths), "link": analysis.link}
        stack |= {} if analysis.link is None else {"link_iou": analysis.link_iou}
        return describe_stack(records, places, stack, self._ids.n_objects)


def is_hyperstack(planes: ChosenPlanes, source: Source) -> bool:
    """Whether ImageJ counts planes along several axes: time, z, and channels that are no colour of a pixel."""
    n_channels = source.shape[2]
    rgb = n_channels == 3 and source.dtype == np.uint8
    return len(planes.place(0).keys() & {"t", "z"}) + (n_channels > 1 and not rgb) > 1


def _renumbered(labels: Any, ids: NDArray) -> NDArray[np.int64]:
    renumbered: NDArray[np.int64] = ids[np.asarray(labels)].astype(np.int64)
    return renumbered


class _LabelPlanes:
    """:class:`~starpoly.io.writers.pyramid.LabelStack` of label images that are opened by their number."""

    def __init__(
        self,
        planes: ChosenPlanes,
        shape: tuple[int, int],
        pixel_size: tuple[float, float] | None,
        frame: Frame,
        dtype: np.dtype,
        open_labels: Callable[[int], AbstractContextManager[RegionLabels]],
    ) -> None:
        self.axes, self.lengths, self.steps, self.starts = planes.axes, planes.lengths, planes.steps, planes.starts
        self.shape, self.pixel_size, self.frame, self.dtype = shape, pixel_size, frame, dtype
        self._n, self._open = len(planes), open_labels

    def planes(self) -> Iterator[RegionLabels]:
        """The label image of each plane, open until the next one."""
        for number in range(self._n):
            with self._open(number) as labels:
                yield labels


class _Renumbered:
    """A label image with other ids."""

    def __init__(self, labels: RegionLabels, ids: NDArray) -> None:
        self._labels, self._ids = labels, ids
        self.shape, self.dtype = labels.shape, ids.dtype

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box."""
        renumbered: NDArray = self._ids[self._labels.region(box, step)]
        return renumbered


class _PlaneCells(_Renumbered):
    """The cells of a plane, with the ids of the stack."""

    def __init__(self, cells: ExpandedLabels, ids: NDArray) -> None:
        super().__init__(cells, ids)
        self._cells, self.nuclei = cells, _Renumbered(cells.nuclei, ids)

    def boxes(self, polygons: StarPolygons) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Bounding boxes of the cells of polygons."""
        return self._cells.boxes(polygons)


@dataclass(frozen=True)
class _StackPlane:
    """One plane of the results of a stack."""

    results: StackResults
    number: int
    cells: Cells | None

    def outlined(self) -> Iterator[Objects]:
        """The objects of the plane."""
        return self.results.measured_of([self.number], wanted=False)

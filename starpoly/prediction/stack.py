"""Segment a stack plane by plane, and write the results of all planes.

Each plane goes the way of a single image. Its results are kept in a folder until all planes are done; then those of the
stack are written from them. Memory holds one plane.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..detection.journal import locked_run, stack_journal
from ..errors import StarpolyWarning
from ..io.files.atomic import make_folder
from ..io.readers.source import Source
from ..io.writers.pyramid import LabelStack, RegionLabels
from ..io.writers.registry import FORMATS
from ..labels.linking import StackIds
from ..polygons import StarPolygons
from .formats import SlideOutputs
from .overlay import write_overlay_of
from .place import Place
from .plane_store import PlaneNote, PlaneStore
from .planes import ChosenPlanes
from .provenance import describe_stack, write_provenance
from .slide_result import SlideResult
from .stack_ids import number_objects

SegmentPlane = Callable[[Source, SlideOutputs, Place, "Path | None"], SlideResult]
"""Segments a plane and writes its files: source, outputs, place in the stack, journal."""


@dataclass(frozen=True)
class StackRun:
    """Segmentation of a stack.

    Parameters
    ----------
    planes : ChosenPlanes
        With at least one axis.
    outputs : SlideOutputs
    open_plane : callable
        Opens a plane by its number.
    segment : SegmentPlane
    identity : mapping of JSON types
        Everything the results of the planes depend on.
    marks : mapping, or callable
        Marks of the image; or, if every plane is to be told from others by its pixels, what gives those of a source.
    link : {"z", "t"} or None
    min_iou : float
        Least overlap of linked objects.
    class_names : sequence of str
    progress : bool
    """

    planes: ChosenPlanes
    outputs: SlideOutputs
    open_plane: Callable[[int], Source]
    segment: SegmentPlane
    identity: Mapping[str, Any]
    marks: Mapping[str, Any] | Callable[[Source], Mapping[str, Any]]
    link: str | None
    min_iou: float
    class_names: tuple[str, ...] = ()
    progress: bool = False

    def run(self, journal: Path | None) -> SlideResult:
        """Segment all planes that are not finished, and write the results."""
        with self._open_store(journal) as store:
            notes = [self._plane(store, number) for number in self._counted()]
            counts = [note.result.n_objects for note in notes]
            ids = number_objects(store, self.planes, counts, self.link, self.min_iou)
            results = StackResults(store, self.planes, ids, self.class_names, notes[0].result.shape)
            self._write(results, notes)
            store.remove()
        _warn([note.warnings for note in notes])
        return _sum(self.planes, ids, [note.result for note in notes])

    def _counted(self) -> Iterator[int]:
        hidden = None if self.progress else True
        yield from tqdm(range(len(self.planes)), "planes", unit="plane", leave=False, disable=hidden)

    @contextmanager
    def _open_store(self, journal: Path | None) -> Iterator[PlaneStore]:
        provenance = self.outputs.provenance is not None
        with ExitStack() as stack:
            if journal is not None:
                folder = stack_journal(journal)
                stack.enter_context(locked_run(folder))
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".starpoly", dir=self._beside())))
            yield PlaneStore(folder, self.identity, provenance=provenance)

    def _beside(self) -> Path | None:
        """Where results are written, so that their parts lie on the same disk."""
        for path in self.outputs.paths.values():
            make_folder(path.parent)
            return path.parent
        return None

    def _plane(self, store: PlaneStore, number: int) -> PlaneNote:
        """The note of a plane; segments it if it is not finished."""
        given = not callable(self.marks)
        if given and (done := store.load(number, {})) is not None:
            return done
        with self.open_plane(number) as source:
            marks = self.marks(source) if callable(self.marks) else self.marks
            noted = {} if given else marks
            if not given and (done := store.load(number, noted)) is not None:
                return done
            place = Place(self.planes.place(number), is_hyperstack(self.planes, source), marks)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", StarpolyWarning)
                result = self.segment(source, store.outputs(number), place, store.journal(number))
        said = tuple(str(one.message) for one in caught if issubclass(one.category, StarpolyWarning))
        note = PlaneNote(result, said, noted)
        store.finish(number, note)
        return note

    def _write(self, results: StackResults, notes: list[PlaneNote]) -> None:
        labels = self.outputs.labels
        if labels is not None and len(self.outputs.paths) > 1:
            # remove results of an earlier run: they must not pass for new ones
            labels.unlink(missing_ok=True)
        for path in self.outputs.paths.values():
            make_folder(path.parent)
        for format_, path in self.outputs.formats():
            format_.write(path, results)
        if self.outputs.overlay is not None:
            number = self.planes.middle
            with self.open_plane(number) as source, results.plane(number) as plane:
                write_overlay_of(self.outputs.overlay, source, plane)
        if self.outputs.provenance is not None:
            write_provenance(self.outputs.provenance, results.provenance(self.link, self.min_iou))
        if labels is not None:
            FORMATS["labels"].write(labels, results)


class StackResults:
    """Results of all planes, see :class:`starpoly.io.writers.results.Results` and ``LabelStack`` beside it.

    Parameters
    ----------
    store : PlaneStore
        All planes.
    planes : ChosenPlanes
    ids : StackIds
    class_names : sequence of str
    shape : tuple of int
        Height, width and channels of a plane.
    """

    def __init__(
        self,
        store: PlaneStore,
        planes: ChosenPlanes,
        ids: StackIds,
        class_names: tuple[str, ...],
        shape: tuple[int, int, int],
    ) -> None:
        self._store, self._planes, self._ids = store, planes, ids
        self.axes, self.lengths, self.steps, self.starts = planes.axes, planes.lengths, planes.steps, planes.starts
        self.class_names: Sequence[str] = class_names
        self.shape: tuple[int, int] = shape[:2]
        self.dtype = ids.dtype
        with planes.open(planes.middle) as source:
            self.pixel_size, self.hyperstack = source.pixel_size, is_hyperstack(planes, source)

    @property
    def stack(self) -> LabelStack:
        """The labels of the stack: this."""
        return self

    @property
    def labels(self) -> RegionLabels:
        """Not of a stack."""
        raise AttributeError("a stack has no single label image")

    def planes(self) -> Iterator[RegionLabels]:
        """The label image of each plane, open until the next one."""
        for number in range(len(self._planes)):
            with self.plane(number) as labels:
                yield labels

    def plane(self, number: int) -> Any:
        """Open the labels of a plane; a context manager."""
        return self._store.labels(number, self._ids.of(number))

    def objects(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """Objects plane by plane, in parts: their place, and their columns with the ids of the stack."""
        for number in range(len(self._planes)):
            ids = self._ids.of(number)
            for polygons, columns in self._store.objects(number):
                yield polygons, columns | {"label": _renumbered(columns["label"], ids)}

    def provenance(self, link: str | None, min_iou: float) -> dict[str, Any]:
        """The record of the run."""
        places = [self._planes.place(number) for number in range(len(self._planes))]
        records = [self._store.provenance(number) for number in range(len(self._planes))]
        stack: dict[str, Any] = {"axes": self.axes, "lengths": list(self.lengths), "link": link}
        stack |= {} if link is None else {"link_iou": min_iou}
        return describe_stack(records, places, stack, self._ids.n_objects)


def is_hyperstack(planes: ChosenPlanes, source: Source) -> bool:
    """Whether ImageJ counts planes along several axes: time, z, and channels that are no colour of a pixel."""
    n_channels = source.shape[2]
    rgb = n_channels == 3 and source.dtype == np.uint8
    return len(planes.place(0).keys() & {"t", "z"}) + (n_channels > 1 and not rgb) > 1


def _renumbered(labels: Any, ids: NDArray) -> NDArray[np.int64]:
    renumbered: NDArray[np.int64] = ids[np.asarray(labels)].astype(np.int64)
    return renumbered


def _sum(planes: ChosenPlanes, ids: StackIds, results: list[SlideResult]) -> SlideResult:
    seconds: Counter[str] = Counter()
    for result in results:
        seconds.update(result.seconds)
    return SlideResult(
        ids.n_objects,
        results[0].shape,
        sum(result.n_tiles for result in results),
        dict(seconds),
        sum(result.n_skipped for result in results),
        sum(result.fraction for result in results) / len(results),
        planes.axes,
        planes.lengths,
    )


def _warn(said: list[tuple[str, ...]]) -> None:
    """Warnings of all planes, those that differ in numbers alone once."""
    examples: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for messages in said:
        kinds = {re.sub(r"\d+(\.\d+)?", "#", message): message for message in messages}
        counts.update(kinds.keys())
        for kind, message in kinds.items():
            examples.setdefault(kind, message)
    for kind, message in examples.items():
        planes = f"{counts[kind]} of {len(said)} planes"
        warnings.warn(f"{message} ({planes})", StarpolyWarning, stacklevel=5)

"""Segment a stack plane by plane, and write the results of all planes.

Each plane goes the way of a single image. Its results are kept in a folder until all planes are done; then those of the
stack are written from them. Memory holds one plane.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

from ..detection.journal import delete_run, locked_run, stack_journal
from ..errors import collected_warnings, warn
from ..io.console import progress_bar
from ..io.files.atomic import remove_earlier
from ..io.files.identity import InputWatch, discarded_if_changed
from ..io.readers.source import Source
from ..io.writers.registry import FORMATS
from ..labels.linking import StackIds
from .deferred_errors import DeferredErrors
from .formats import SlideOutputs
from .overlay import write_overlay_of
from .place import Place
from .plane_store import PlaneNote, PlaneStore
from .planes import ChosenPlanes
from .provenance import write_provenance
from .request import PredictionRequest
from .slide_result import SlideResult
from .stack_ids import number_objects
from .stack_results import StackResults, is_hyperstack

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
    request : PredictionRequest
    class_names : sequence of str
    progress : bool
    watch : InputWatch, optional
        Made before the file was opened; results get no names if it has changed since.
    origin : str, optional
        Hash that tells the file's content from others, which the labels then name.
    spread : callable, optional
        Segments planes elsewhere: takes files, store and number of planes, and yields their notes in order, None for a plane
        to be segmented here.
    """

    planes: ChosenPlanes
    outputs: SlideOutputs
    open_plane: Callable[[int], Source]
    segment: SegmentPlane
    identity: Mapping[str, Any]
    marks: Mapping[str, Any] | Callable[[Source], Mapping[str, Any]]
    request: PredictionRequest
    class_names: tuple[str, ...] = ()
    progress: bool = False
    watch: InputWatch | None = None
    origin: str | None = None
    spread: Callable[[SlideOutputs, PlaneStore, int], Iterator[PlaneNote | None]] | None = None

    def run(self, journal: Path | None) -> SlideResult:
        """Segment all planes that are not finished, and write the results."""
        analysis = self.request.analysis
        self.outputs.prepare()
        with self._open_store(journal) as store:
            notes = list(self._notes(store))
            if self.watch is not None:
                self.watch.check()
            counts = [note.result.n_objects for note in notes]
            ids = number_objects(store, self.planes, counts, analysis.link, analysis.link_iou)
            results = StackResults(store, self.planes, ids, self.class_names, self.request, self.origin)
            incomplete = self._write(results)
            if not incomplete:
                store.remove()
        _warn([note.warnings for note in notes])
        return replace(_sum(self.planes, ids, [note.result for note in notes]), incomplete=incomplete)

    def _notes(self, store: PlaneStore) -> Iterator[PlaneNote]:
        n = len(self.planes)
        elsewhere = repeat(None, n) if self.spread is None else self.spread(self.outputs, store, n)
        for number, note in zip(self._counted(), elsewhere, strict=True):
            yield self.plane(store, number) if note is None else note

    def _counted(self) -> Iterator[int]:
        numbers = range(len(self.planes))
        yield from progress_bar(numbers, shown=self.progress, desc="planes", unit="plane", leave=False)

    @contextmanager
    def _open_store(self, journal: Path | None) -> Iterator[PlaneStore]:
        columns = self.request.analysis.columns(self.outputs)
        with ExitStack() as stack:
            if journal is not None:
                folder = stack_journal(journal)
                stack.enter_context(locked_run(folder))
                stack.enter_context(discarded_if_changed(self.watch, partial(delete_run, folder)))
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".starpoly", dir=self._beside())))
            yield PlaneStore(folder, self.identity, columns, self.outputs)

    def _beside(self) -> Path | None:
        """Where results are written, so that their parts lie on the same disk."""
        return next((path.parent for path in self.outputs.paths.values()), None)

    def plane(self, store: PlaneStore, number: int) -> PlaneNote:
        """The note of a plane; segments it if it is not finished."""
        given = not callable(self.marks)
        if given and (done := store.load(number, {})) is not None:
            return done
        with self.open_plane(number) as source:
            marks = self.marks(source) if callable(self.marks) else self.marks
            noted = {} if given else marks
            if not given and (done := store.load(number, noted)) is not None:
                return done
            place = Place(
                self.planes.place(number),
                is_hyperstack(self.planes, source),
                marks,
                partial(self.planes.open, number, all_channels=True),
            )
            with collected_warnings() as said:
                result = self.segment(source, store.outputs(number), place, store.journal(number)).checked()
        note = PlaneNote(result, tuple(said), noted)
        store.finish(number, note)
        return note

    def _write(self, results: StackResults) -> str:
        """Write the files; what could not be written."""
        last = self.outputs.labels
        if last is not None and len(self.outputs.paths) > 1:
            # remove results of an earlier run: they must not pass for new ones
            remove_earlier(last)
        errors = DeferredErrors()
        for format_, path in self.outputs.formats():
            errors.write(path, partial(format_.write, path, results))
        if (overlay := self.outputs.overlay) is not None:
            errors.write(overlay, partial(self._write_overlay, overlay, results))
        if (provenance := self.outputs.provenance) is not None:
            errors.write(provenance, lambda: write_provenance(provenance, results.provenance()))
        if last is not None:
            FORMATS["labels"].write(last, results)
        return errors.message(last)

    def _write_overlay(self, path: Path, results: StackResults) -> None:
        number = self.planes.middle
        with self.open_plane(number) as source, results.labels_of(number) as labels:
            write_overlay_of(path, source, labels)


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
        warn(f"{message} ({planes})", stacklevel=5)

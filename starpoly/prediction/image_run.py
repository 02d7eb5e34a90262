"""Segmentation of one image, or of one plane: in memory, or streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from .._version import __version__
from ..detection.detector import Detector
from ..detection.executors import Executor, spread_over
from ..detection.journal import TileJournal, discard, held_journal, open_journal, stack_journal
from ..detection.look import Look
from ..detection.pipeline import Detection
from ..detection.receivers import CheckedAtTheEnd
from ..images.normalization import as_normalizer
from ..io.files.atomic import remove_earlier
from ..io.files.identity import InputWatch, discarded_if_changed, identify, origin_of
from ..io.files.resolved import resolved
from ..io.files.url import as_path
from ..io.frame import Frame
from ..io.readers.channels import match_channels
from ..io.readers.source import Source
from ..io.readers.view import SourceView
from ..io.writers.pyramid import RegionLabels
from ..io.writers.registry import FORMATS, Format
from ..labels.measures.registry import needs_image
from ..labels.streaming import StreamingLabels
from ..labels.whole import WholeLabels
from ..parallel import limit_malloc_arenas, trim_malloc
from ..timing import Stopwatch
from .deferred_errors import DeferredErrors
from .formats import SlideOutputs
from .opening import HeldSource, open_all_channels
from .overlay import write_overlay_of
from .part import ImagePart
from .place import Place
from .provenance import describe_run, write_provenance
from .region_masks import RegionMask
from .request import PredictionRequest
from .results import ImageResults
from .slide_result import SlideResult
from .writing import Writers, retry_larger

#: Pixels from which on an image that is held in memory has a journal: below, one would take longer than the tiles.
JOURNAL_FROM = 4_000_000


@dataclass(eq=False)
class ImageRun:
    """Segmentation of one image.

    Parameters
    ----------
    model : Detector
    image : path, Source or array-like
        As given. Provides name and identity.
    source : Source
        The opened part of it.
    outputs : SlideOutputs
    request : PredictionRequest
    progress : bool
    place : Place, optional
        Where the image lies in a stack.
    look : Look, optional
        How model, channels and scale were chosen.
    watch : InputWatch, optional
        Made before the image was opened; results get no names if it has changed since.
    executor : Executor, optional
        Runs tiles. Default: threads.
    """

    model: Detector
    image: Any
    source: Source
    outputs: SlideOutputs
    request: PredictionRequest
    progress: bool = False
    place: Place | None = None
    look: Look | None = None
    watch: InputWatch | None = None
    executor: Executor | None = None

    def __post_init__(self) -> None:
        self.request.analysis.check(self.outputs)
        self._part, expand = self.request.part, self.request.analysis.expand
        self._reach = None if expand is None else expand.reach(self.source.pixel_size)
        self._options = self.model.resolve_options(self.request.options, self.source.pixel_size)
        self._clock = Stopwatch()
        self._region: RegionMask | None = None
        if self._part.has_region:
            with self._clock.timing("tissue"):
                # levels of a plane are not opened by the name of its file
                self._region = self._part.region(self.image if self.place is None else None, self.source)
        self._input = input_channels(self.model, self.source, self._part)
        self._foreground = self.model.foreground_mask(self.source.shape[:2], self._options)
        self.outputs.prepare(growing=not isinstance(self.source, HeldSource))

    @cached_property
    def _marks(self) -> dict[str, Any]:
        """What tells the image from others; read once, for journal and provenance alike."""
        return identify(self.image, self.source) if self.place is None else dict(self.place.marks)

    def held(self, source: HeldSource, journal: Path | None) -> SlideResult:
        """Detect objects in memory, then write."""
        with ExitStack() as stack:
            state = None if journal is None else stack.enter_context(self._open_journal(journal))
            found = self._detect(self._pixels(source), journal=state)
            result = self._write_held(source, found, stack)
            if state is not None and not result.incomplete:
                state.remove()
        return result

    def _pixels(self, source: HeldSource) -> Any:
        """What the network gets of an image in memory."""
        if self.look is not None:
            return self.look.best.view.image
        return source.pixels if self._input is source else self._input[:, :]

    def _write_held(self, source: HeldSource, found: Detection, stack: ExitStack) -> SlideResult:
        spec = self.model.spec
        drawn = WholeLabels(found.polygons, source.shape[:2], self._foreground, spec.class_names)
        results = self._results(drawn, stack)
        self._check_input()
        with self._clock.timing("writing"):
            if self.outputs.labels is not None and len(self.outputs.paths) > 1:
                # remove results of an earlier run: they must not pass for new ones
                remove_earlier(self.outputs.labels)
            errors = DeferredErrors()
            for format_, path in self.outputs.formats():
                errors.write(path, partial(format_.write, path, results))
            for path, write in self._companions(found, drawn, drawn.count()):
                errors.write(path, write)
            self._check_input()
            if self.outputs.labels is not None:
                FORMATS["labels"].write(self.outputs.labels, results)
        return self._result(found, drawn.count(), errors)

    def streamed(self, journal: Path | None) -> SlideResult:
        """Write during detection."""
        shape, spec = self.source.shape[:2], self.model.spec
        with ExitStack() as stack:
            state = None if journal is None else stack.enter_context(self._open_journal(journal))
            trim_malloc()
            limit_malloc_arenas()  # reader and writer threads would each hold an arena
            labels = StreamingLabels(shape, spec.class_names, clock=self._clock, foreground=self._foreground)
            results = self._results(labels, stack)
            with Writers(labels) as writers:
                for format_, path in self.outputs.formats():
                    writers.start(partial(retry_larger, partial(format_.write, path, results)))
                if self.outputs.labels is not None:
                    writers.start_last(partial(_write_labels, FORMATS["labels"], self.outputs.labels, results))
                found = self._detect(self._input, journal=state, receiver=CheckedAtTheEnd(labels, self._check_input))
                with self._clock.timing("writing"):
                    writers.wait(shown=self.progress)
                    errors = DeferredErrors()
                    for path, write in self._companions(found, labels.whole, labels.count()):
                        errors.write(path, write)
                    self._check_input()
                    writers.finish()
            result = self._result(found, labels.count(), errors)
            if state is not None and not result.incomplete:
                state.remove()
        return result

    def _check_input(self) -> None:
        if self.watch is not None:
            self.watch.check()

    def _results(self, drawn: WholeLabels | StreamingLabels, stack: ExitStack) -> ImageResults:
        """What is written; all channels are open until the stack is left."""
        measures = self.request.analysis.measure if self.outputs.measured else ()
        pixels = None
        if needs_image(measures):
            has_all = self._part.channels is None
            pixels = self.source if has_all else stack.enter_context(self._open_all_channels())
        return ImageResults(
            drawn,
            self.model.spec,
            self.source,
            self._reach,
            measures=measures,
            pixels=pixels,
            place=self.place,
            origin=origin_of(self.image) if self.place is None else None,
            run=map if pixels is None else spread_over(self.executor, pixels),
        )

    def _open_all_channels(self) -> Source:
        if self.place is None or self.place.open_all_channels is None:
            return open_all_channels(self.image, self._part)
        return self.place.open_all_channels()

    def _detect(self, image: Any, **streams: Any) -> Detection:
        if self.executor is not None:
            streams["executor"] = self.executor
        return self.model.detect(
            image,
            self._options,
            normalizer=self._part.normalizer,
            region=self._region,
            foreground=self._foreground,
            look=self.look,
            progress=self.progress,
            **streams,
        )

    @contextmanager
    def _open_journal(self, folder: Path) -> Iterator[TileJournal]:
        """The state of the run."""
        spec = self.model.spec
        run = {
            "starpoly": __version__,
            "model": self.model.fingerprint(),
            "input": self._marks,
            **self._options.identity(),
            **self._part.identity(self._region),
            **normalizer_identity(self._part, self._input),
            **({} if self.place is None else {"plane": dict(self.place.columns)}),
        }
        kind = {
            "n_rays": spec.network.n_rays,
            "n_classes": spec.network.n_classes,
            "max_distance": spec.max_distance,
        }
        with open_journal(folder, run, **kind) as state, discarded_if_changed(self.watch, state.remove):
            yield state

    def _companions(
        self, found: Detection, drawn: RegionLabels | Callable[[], RegionLabels], n_objects: int
    ) -> Iterator[tuple[Path, Callable[[], None]]]:
        """The files that need the image or the run, overlay and provenance, and what writes each."""
        overlay, provenance = self.outputs.overlay, self.outputs.provenance
        if overlay is not None:
            yield overlay, lambda: write_overlay_of(overlay, self.source, drawn() if callable(drawn) else drawn)
        if provenance is not None:
            yield provenance, lambda: write_provenance(provenance, self._record(found, n_objects))

    def _record(self, found: Detection, n_objects: int) -> dict[str, Any]:
        """The provenance of the run."""
        return describe_run(
            self.model,
            found,
            image=self._identity(),
            settings=self._options.identity() | self.request.analysis.columns(self.outputs),
            n_objects=n_objects,
            seconds=found.seconds | self._clock.seconds,
        )

    def _identity(self) -> dict[str, Any]:
        return self._marks | {
            "file": _path_of(self.image),
            "pixel_size": self.source.pixel_size,
            "frame": asdict(Frame.of(self.source)),
            **self._part.identity(self._region),
            "mask_from": self._part.tissue or _path_of(self._part.mask),
            "fraction": round(self._fraction, 4),
        }

    @property
    def _fraction(self) -> float:
        return 1.0 if self._region is None else self._region.fraction

    def _result(self, found: Detection, n_objects: int, errors: DeferredErrors) -> SlideResult:
        seconds = found.seconds | self._clock.seconds
        return SlideResult(
            n_objects,
            self.source.shape,
            found.n_tiles,
            seconds,
            found.n_skipped,
            self._fraction,
            look=found.look,
            incomplete=errors.message(self.outputs.labels),
        )


def segment_source(
    model: Detector,
    image: Any,
    source: Source,
    outputs: SlideOutputs,
    request: PredictionRequest,
    *,
    journal: Path | None = None,
    progress: bool = False,
    place: Place | None = None,
    look: Look | None = None,
    watch: InputWatch | None = None,
    executor: Executor | None = None,
) -> SlideResult:
    """Segment an open image and write the results; ``incomplete`` says what could not be written.

    Parameters
    ----------
    image : path, Source or array-like
        The image as given. Provides name and identity.
    source : Source
        The opened ``request.part``, see :func:`~starpoly.prediction.opening.open_image`.
    request : PredictionRequest
    place : Place, optional
        Where the image lies in a stack.
    look : Look, optional
        How model, channels and scale were chosen. Default: the model looks for the scale.
    watch : InputWatch, optional
        Made before the image was opened; results get no names if it has changed since.
    executor : Executor, optional
        Runs tiles. Default: threads.
    model, outputs, journal, progress
        As for :func:`segment_slide`.
    """
    run = ImageRun(model, image, source, outputs, request, progress, place, look, watch, executor)
    if isinstance(source, HeldSource):
        large = source.shape[0] * source.shape[1] >= JOURNAL_FROM
        result = run.held(source, held_journal(journal) if journal is not None and large else None)
    else:
        result = run.streamed(journal)
    if journal is not None and not result.incomplete:
        for left in (journal, held_journal(journal), stack_journal(journal)):  # by a run with less memory, or more
            discard(left)
    return result


def input_channels(model: Detector, source: Source, part: ImagePart) -> Source:
    """The channels of an image as the model takes them."""
    if part.inputs is not None:
        return SourceView(source, channels=part.inputs)
    n_channels, by_name = model.spec.network.n_channels, part.channels is None
    return match_channels(source, n_channels, merge=part.merge_channels, by_name=by_name)


def normalizer_identity(part: ImagePart, image: Source) -> dict[str, Any]:
    """Identity of a given normaliser."""
    if part.normalizer is True:
        return {}
    _, normalizer = as_normalizer(part.normalizer, image)
    return {"normalizer": normalizer.to_dict()}


def _write_labels(format_: Format, path: Path, results: ImageResults, before_naming: Callable[[], None]) -> None:
    retry_larger(partial(format_.write, path, results, before_naming=before_naming))


def _path_of(image: Any) -> str | None:
    return str(resolved(as_path(image))) if isinstance(image, str | Path) else None

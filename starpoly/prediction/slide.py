"""Segment an image and write its files: one path for crops and slides, command line and Python.

Small images are held in memory; results are written after detection. Large images are read tile by tile with a journal;
results are written during detection. Formats, names, records and bytes are the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from .._version import __version__
from ..detection.detector import Detector
from ..detection.journal import discard, held_journal, open_journal, stack_journal
from ..detection.options import DetectionOptions
from ..detection.pipeline import Detection
from ..errors import StarpolyWarning
from ..images.normalization import as_normalizer
from ..io.files.atomic import make_folder
from ..io.files.identity import identify
from ..io.readers.channels import match_channels
from ..io.readers.source import Source
from ..io.writers.pyramid import RegionLabels
from ..io.writers.registry import FORMATS, Format
from ..labels.linking import MIN_IOU, check_link
from ..labels.streaming import StreamingLabels
from ..labels.whole import WholeLabels
from ..parallel import limit_malloc_arenas, trim_malloc
from ..timing import Stopwatch
from .formats import SlideOutputs
from .opening import HeldSource, check_memory, open_image, open_plane
from .overlay import write_overlay_of
from .part import ImagePart
from .place import Place
from .planes import ChosenPlanes, choose_planes
from .provenance import describe_run, write_provenance
from .region_masks import RegionMask
from .results import ImageResults
from .slide_result import SlideResult
from .stack import StackRun, is_hyperstack
from .writing import Writers, retry_larger

#: Pixels from which on an image that is held in memory has a journal: below, one would take longer than the tiles.
JOURNAL_FROM = 4_000_000


def segment_slide(
    model: Detector,
    image: Any,
    outputs: SlideOutputs,
    options: DetectionOptions | None = None,
    *,
    part: ImagePart | None = None,
    journal: Path | None = None,
    link: str | None = None,
    link_iou: float = MIN_IOU,
    progress: bool = False,
    **settings: Any,
) -> SlideResult:
    """Segment an image or a stack of any size and write the results, in bounded memory.

    Every plane of a stack is segmented as an image of its own (``z``, ``t``, ``scene`` and ``project`` choose others). Ids
    are unique through the stack: they run on from plane to plane.

    Images of up to 32 megapixels are held in memory. For larger ones, memory holds a few tiles and the polygons. Their
    results are written during detection, under hidden names until complete. ``journal`` stores the result of each tile:
    after an interruption, the same call continues from there and gives the same bytes.

    Parameters
    ----------
    model : Detector
        Such as a :class:`starpoly.StarPoly2D`.
    image : path, Source or array-like
        See :func:`starpoly.io.open_source` and, of stacks, :func:`starpoly.io.open_stack`.
    outputs : SlideOutputs
        Files to write. Labels of a stack have its axes without C, an overlay shows the plane in the middle.
    options : DetectionOptions, optional
        Detection settings.
    part : ImagePart, optional
        Level, channels, region, mask ... Default: the whole image. Results are in pixels of the part.
    journal : Path, optional
        Folder for the state of the run, removed at the end. With it, images of any size are read tile by tile.
    link : {"z", "t"}, optional
        Axis along which objects of neighbouring planes that overlap get one id: greedily by intersection over union, the
        largest first.
    link_iou : float
        Least intersection over union of linked objects.
    progress : bool
        Show a bar on a terminal.
    **settings
        Fields of :class:`~starpoly.detection.DetectionOptions` or of :class:`ImagePart` by name.

    Returns
    -------
    SlideResult

    Raises
    ------
    ImageError
        If the image cannot be read or an output cannot be written. The journal is kept.
    StarpolyError
        If the journal belongs to another run.
    """
    part, options = _by_name(part, options, settings)
    check_memory(image, options.memory)
    hold = journal is None
    with choose_planes(image, part) as planes:
        check_link(link, planes.axes, image if isinstance(image, str | Path) else "array")
        if not planes.is_whole_file:
            return segment_planes(
                model, image, planes, outputs, options, part=part, journal=journal, link=link, link_iou=link_iou,
                progress=progress, hold=hold,
            )  # fmt: skip
    with open_image(image, part, options.memory, hold=hold) as source:
        return segment_source(model, image, source, outputs, options, part=part, journal=journal, progress=progress)


def segment_planes(
    model: Detector,
    image: Any,
    planes: ChosenPlanes,
    outputs: SlideOutputs,
    options: DetectionOptions,
    *,
    part: ImagePart,
    journal: Path | None = None,
    link: str | None = None,
    link_iou: float = MIN_IOU,
    progress: bool = False,
    hold: bool = True,
) -> SlideResult:
    """Segment the chosen planes of an open image, one after the other, and write the results of the stack.

    Parameters
    ----------
    image : path or array-like
        The image as given. Provides name and identity.
    planes : ChosenPlanes
    hold : bool
        Read small planes into memory.
    model, outputs, options, part, journal, link, link_iou, progress
        As for :func:`segment_slide`.
    """

    def segment(source: Source, outputs: SlideOutputs, place: Place, journal: Path | None) -> SlideResult:
        shown = progress and not (planes.axes and isinstance(source, HeldSource))
        return segment_source(
            model, image, source, outputs, options, part=part, journal=journal, progress=shown, place=place
        )

    def open_one(number: int) -> Source:
        return open_plane(planes, number, options.memory, hold=hold)

    if not planes.axes:
        with open_one(0) as source:
            place = Place(planes.place(0), is_hyperstack(planes, source), identify(image, source))
            return segment(source, outputs, place, journal)
    of_file = isinstance(image, str | Path)
    with planes.open(planes.middle) as source:
        marks = identify(image, source) if of_file else {"shape": list(source.shape), "dtype": str(source.dtype)}
        resolved = model.resolve_options(options, source.pixel_size)
        region = part.region(None, source) if part.mask is not None else None
        identity = {
            "starpoly": __version__,
            "model": model.fingerprint(),
            "input": marks,
            "stack": [planes.axes, list(planes.lengths)],
            **resolved.identity(),
            **part.identity(region),
            **_normalizer_identity(part, _quietly_matched(model, source, part)),
        }
    run = StackRun(
        planes=planes,
        outputs=outputs,
        open_plane=open_one,
        segment=segment,
        identity=identity,
        marks=marks if of_file else partial(identify, image),
        link=link,
        min_iou=link_iou,
        class_names=tuple(model.spec.class_names),
        progress=progress,
    )
    result = run.run(journal)
    if journal is not None:
        for left in (journal, held_journal(journal)):
            discard(left)
    return result


def segment_source(
    model: Detector,
    image: Any,
    source: Source,
    outputs: SlideOutputs,
    options: DetectionOptions,
    *,
    part: ImagePart,
    journal: Path | None = None,
    progress: bool = False,
    place: Place | None = None,
) -> SlideResult:
    """Segment an open image and write the results.

    Parameters
    ----------
    image : path, Source or array-like
        The image as given. Provides name and identity.
    source : Source
        The opened ``part``, see :func:`~starpoly.prediction.opening.open_image`.
    place : Place, optional
        Where the image lies in a stack.
    model, outputs, options, part, journal, progress
        As for :func:`segment_slide`.
    """
    run = _Run(
        model=model,
        image=image,
        source=source,
        outputs=outputs,
        options=model.resolve_options(options, source.pixel_size),
        part=part,
        progress=progress,
        place=place,
    )
    if isinstance(source, HeldSource):
        large = source.shape[0] * source.shape[1] >= JOURNAL_FROM
        result = run.held(source, held_journal(journal) if journal is not None and large else None)
    else:
        result = run.streamed(journal)
    if journal is not None:
        for left in (journal, held_journal(journal), stack_journal(journal)):  # by a run with less memory, or more
            discard(left)
    return result


def _by_name(
    part: ImagePart | None, options: DetectionOptions | None, settings: dict[str, Any]
) -> tuple[ImagePart, DetectionOptions]:
    of_part = {name: settings.pop(name) for name in list(settings) if name in ImagePart.__dataclass_fields__}
    return replace(part or ImagePart(), **of_part), DetectionOptions.of(options, settings)


@dataclass(eq=False)
class _Run:
    """Segmentation of one image."""

    model: Detector
    image: Any
    source: Source
    outputs: SlideOutputs
    options: DetectionOptions
    part: ImagePart
    progress: bool
    place: Place | None = None

    def __post_init__(self) -> None:
        self._clock = Stopwatch()
        self._region: RegionMask | None = None
        if self.part.has_region:
            with self._clock.timing("tissue"):
                # levels of a plane are not opened by the name of its file
                self._region = self.part.region(self.image if self.place is None else None, self.source)
        n_channels = self.model.spec.network.n_channels
        self._input = match_channels(self.source, n_channels, merge=self.part.merge_channels)
        self._foreground = self.model.foreground_mask(self.source.shape[:2], self.options)
        for path in self.outputs.paths.values():
            make_folder(path.parent)

    @cached_property
    def _marks(self) -> dict[str, Any]:
        """What tells the image from others; read once, for journal and provenance alike."""
        return identify(self.image, self.source) if self.place is None else dict(self.place.marks)

    def held(self, source: HeldSource, journal: Path | None) -> SlideResult:
        """Detect objects in memory, then write."""
        with ExitStack() as stack:
            state = None if journal is None else stack.enter_context(self._open_journal(journal))
            found = self._detect(source.pixels if self._input is source else self._input[:, :], journal=state)
            result = self._write_held(source, found)
            if state is not None:
                state.remove()
        return result

    def _write_held(self, source: HeldSource, found: Detection) -> SlideResult:
        spec = self.model.spec
        drawn = WholeLabels(found.polygons, source.shape[:2], self._foreground, spec.class_names)
        results = ImageResults(drawn, spec, source.pixel_size, self.place)
        with self._clock.timing("writing"):
            if self.outputs.labels is not None and len(self.outputs.paths) > 1:
                # remove results of an earlier run: they must not pass for new ones
                self.outputs.labels.unlink(missing_ok=True)
            for format_, path in self.outputs.formats():
                format_.write(path, results)
            self._write_companions(found, drawn, drawn.count())
            if self.outputs.labels is not None:
                FORMATS["labels"].write(self.outputs.labels, results)
        return self._result(found, drawn.count())

    def streamed(self, journal: Path | None) -> SlideResult:
        """Write during detection."""
        shape, spec = self.source.shape[:2], self.model.spec
        with ExitStack() as stack:
            state = None if journal is None else stack.enter_context(self._open_journal(journal))
            trim_malloc()
            limit_malloc_arenas()  # reader and writer threads would each hold an arena
            labels = StreamingLabels(shape, spec.class_names, clock=self._clock, foreground=self._foreground)
            results = ImageResults(labels, spec, self.source.pixel_size, self.place)
            with Writers(labels) as writers:
                for format_, path in self.outputs.formats():
                    writers.start(partial(retry_larger, partial(format_.write, path, results)))
                if self.outputs.labels is not None:
                    writers.start_last(partial(_write_labels, FORMATS["labels"], self.outputs.labels, results))
                found = self._detect(self._input, journal=state, receiver=labels)
                with self._clock.timing("writing"):
                    writers.wait(shown=self.progress)
                    self._write_companions(found, labels.whole, labels.count())
                    writers.finish()
            if state is not None:
                state.remove()
        return self._result(found, labels.count())

    def _detect(self, image: Any, **streams: Any) -> Detection:
        return self.model.detect(
            image,
            self.options,
            normalizer=self.part.normalizer,
            region=self._region,
            foreground=self._foreground,
            progress=self.progress,
            **streams,
        )

    def _open_journal(self, folder: Path) -> Any:
        spec = self.model.spec
        run = {
            "starpoly": __version__,
            "model": self.model.fingerprint(),
            "input": self._marks,
            **self.options.identity(),
            **self.part.identity(self._region),
            **_normalizer_identity(self.part, self._input),
            **({} if self.place is None else {"plane": dict(self.place.columns)}),
        }
        kind = {
            "n_rays": spec.network.n_rays,
            "n_classes": spec.network.n_classes,
            "max_distance": spec.max_distance,
        }
        return open_journal(folder, run, **kind)

    def _write_companions(
        self, found: Detection, drawn: RegionLabels | Callable[[], RegionLabels], n_objects: int
    ) -> None:
        """Write the files that need the image or the run: overlay and provenance."""
        if self.outputs.overlay is not None:
            write_overlay_of(self.outputs.overlay, self.source, drawn() if callable(drawn) else drawn)
        if self.outputs.provenance is not None:
            record = describe_run(
                self.model,
                found,
                image=self._identity(),
                settings=self.options.identity(),
                n_objects=n_objects,
                seconds=found.seconds | self._clock.seconds,
            )
            write_provenance(self.outputs.provenance, record)

    def _identity(self) -> dict[str, Any]:
        return self._marks | {
            "file": _path_of(self.image),
            "pixel_size": self.source.pixel_size,
            **self.part.identity(self._region),
            "mask_from": self.part.tissue or _path_of(self.part.mask),
            "fraction": round(self._fraction, 4),
        }

    @property
    def _fraction(self) -> float:
        return 1.0 if self._region is None else self._region.fraction

    def _result(self, found: Detection, n_objects: int) -> SlideResult:
        seconds = found.seconds | self._clock.seconds
        return SlideResult(n_objects, self.source.shape, found.n_tiles, seconds, found.n_skipped, self._fraction)


def _quietly_matched(model: Detector, source: Source, part: ImagePart) -> Source:
    """The channels of a plane as the model takes them; its segmentation warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StarpolyWarning)
        return match_channels(source, model.spec.network.n_channels, merge=part.merge_channels)


def _normalizer_identity(part: ImagePart, image: Source) -> dict[str, Any]:
    """Identity of a given normaliser."""
    if part.normalizer is True:
        return {}
    _, normalizer = as_normalizer(part.normalizer, image)
    return {"normalizer": normalizer.to_dict()}


def _write_labels(format_: Format, path: Path, results: ImageResults, before_naming: Callable[[], None]) -> None:
    retry_larger(partial(format_.write, path, results, before_naming=before_naming))


def _path_of(image: Any) -> str | None:
    return str(Path(image).resolve()) if isinstance(image, str | Path) else None

"""Segment an image and write its files: one path for crops and slides, command line and Python.

Small images are held in memory; results are written after detection. Large images are read tile by tile with a journal;
results are written during detection. Formats, names, records and bytes are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from .._version import __version__
from ..detection.detector import Detector
from ..detection.journal import discard, held_journal, open_journal
from ..detection.options import DetectionOptions
from ..detection.pipeline import Detection
from ..errors import ConfigError
from ..images.normalization import as_normalizer
from ..io.files.atomic import make_folder
from ..io.files.identity import identify
from ..io.frame import Frame
from ..io.readers.channels import match_channels
from ..io.readers.source import Source
from ..io.writers.pyramid import RegionLabels
from ..io.writers.registry import FORMATS, Format
from ..labels.expansion import Expansion
from ..labels.measures.registry import needs_image, select_measures
from ..labels.streaming import StreamingLabels
from ..labels.whole import WholeLabels
from ..parallel import limit_malloc_arenas, trim_malloc
from ..timing import Stopwatch
from .formats import SlideOutputs
from .opening import HeldSource, check_memory, open_all_channels, open_image
from .overlay import write_overlay_of
from .part import ImagePart
from .provenance import describe_run, write_provenance
from .region_masks import RegionMask
from .results import ImageResults
from .writing import Writers, retry_larger

#: Pixels from which on an image that is held in memory has a journal: below, one would take longer than the tiles.
JOURNAL_FROM = 4_000_000


@dataclass(frozen=True)
class SlideResult:
    """Result of segmenting an image.

    Attributes
    ----------
    n_objects : int
        Objects visible in the labels.
    shape : (int, int, int)
        Rows, columns and channels of the segmented part.
    n_tiles, n_skipped : int
        Number of tiles, and of tiles outside the mask or tissue.
    fraction : float
        Share of the image inside the mask or tissue.
    seconds : dict of str to float
        Time per stage. Stages overlap.
    """

    n_objects: int
    shape: tuple[int, int, int]
    n_tiles: int
    seconds: dict[str, float]
    n_skipped: int = 0
    fraction: float = 1.0

    def __repr__(self) -> str:
        (height, width), n_done = self.shape[:2], self.n_tiles - self.n_skipped
        return f"SlideResult({self.n_objects} objects in {height} x {width} px, {n_done} of {self.n_tiles} tiles)"


def segment_slide(
    model: Detector,
    image: Any,
    outputs: SlideOutputs,
    options: DetectionOptions | None = None,
    *,
    part: ImagePart | None = None,
    journal: Path | None = None,
    expand: Expansion | float | str | None = None,
    progress: bool = False,
    measure: str | Iterable[str] | None = None,
    **settings: Any,
) -> SlideResult:
    """Segment an image of any size and write the results, in bounded memory.

    Images of up to 32 megapixels are held in memory. For larger ones, memory holds a few tiles and the polygons. Their
    results are written during detection, under hidden names until complete. ``journal`` stores the result of each tile:
    after an interruption, the same call continues from there and gives the same bytes.

    Parameters
    ----------
    model : Detector
        Such as a :class:`starpoly.StarPoly2D`.
    image : path, Source or array-like
        See :func:`starpoly.io.open_source`.
    outputs : SlideOutputs
        Files to write.
    options : DetectionOptions, optional
        Detection settings.
    part : ImagePart, optional
        Level, channels, region, mask ... Default: the whole image. Label images are in pixels of the part, outlines lie
        in the whole slide.
    journal : Path, optional
        Folder for the state of the run, removed at the end. With it, images of any size are read tile by tile.
    expand : float or str, optional
        Grow each object by this distance to a cell, see :func:`starpoly.labels.expand_labels`: pixels as number or
        ``"12px"``, micrometres as ``"5um"``. Tables and GeoJSON then tell of nuclei and cells; ``outputs.cells`` and
        ``outputs.zarr`` hold the cells as labels, with the ids of the nuclei.
    progress : bool
        Show a bar on a terminal.
    measure : str or iterable of str, optional
        What the table holds: some of ``shape``, ``intensity``, ``neighbours``; ``all`` or ``none``. Default: shape and
        intensity. Intensities are those of all channels, also of those that ``channels`` leaves out.
    **settings
        Fields of :class:`~starpoly.detection.DetectionOptions` or of :class:`ImagePart` by name.

    Returns
    -------
    SlideResult

    Raises
    ------
    ImageError
        If the image cannot be read or an output cannot be written. The journal is kept.
    ConfigError
        If ``expand`` is no distance, is in micrometres and the pixel size is not known, or is not given for
        ``outputs.cells``.
    StarpolyError
        If the journal belongs to another run.
    """
    cells = None if expand is None else Expansion.of(expand)
    part, options = _by_name(part, options, settings)
    check_memory(image, options.memory)
    with open_image(image, part, options.memory, hold=journal is None) as source:
        return segment_source(
            model,
            image,
            source,
            outputs,
            options,
            part=part,
            journal=journal,
            expand=cells,
            progress=progress,
            measure=measure,
        )


def segment_source(
    model: Detector,
    image: Any,
    source: Source,
    outputs: SlideOutputs,
    options: DetectionOptions,
    *,
    part: ImagePart,
    journal: Path | None = None,
    expand: Expansion | None = None,
    progress: bool = False,
    measure: str | Iterable[str] | None = None,
) -> SlideResult:
    """Segment an open image and write the results.

    Parameters
    ----------
    image : path, Source or array-like
        The image as given. Provides name and identity.
    source : Source
        The opened ``part``, see :func:`~starpoly.prediction.opening.open_image`.
    model, outputs, options, part, journal, expand, progress, measure
        As for :func:`segment_slide`.
    """
    run = _Run(
        model=model,
        image=image,
        source=source,
        outputs=outputs,
        options=model.resolve_options(options, source.pixel_size),
        part=part,
        expand=expand,
        progress=progress,
        measures=select_measures(measure),
    )
    if isinstance(source, HeldSource):
        large = source.shape[0] * source.shape[1] >= JOURNAL_FROM
        result = run.held(source, held_journal(journal) if journal is not None and large else None)
    else:
        result = run.streamed(journal)
    if journal is not None:
        for left in (journal, held_journal(journal)):  # by a run with less memory, or more
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
    expand: Expansion | None
    progress: bool
    measures: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.outputs.cells is not None and self.expand is None:
            raise ConfigError(f"{self.outputs.cells}: expected a distance to expand nuclei by, got none; give expand")
        self._reach = None if self.expand is None else self.expand.reach(self.source.pixel_size)
        self._clock = Stopwatch()
        self._region: RegionMask | None = None
        if self.part.has_region:
            with self._clock.timing("tissue"):
                self._region = self.part.region(self.image, self.source)
        n_channels = self.model.spec.network.n_channels
        self._input = match_channels(self.source, n_channels, merge=self.part.merge_channels)
        self._foreground = self.model.foreground_mask(self.source.shape[:2], self.options)
        for path in self.outputs.paths.values():
            make_folder(path.parent)

    @cached_property
    def _marks(self) -> dict[str, Any]:
        """What tells the image from others; read once, for journal and provenance alike."""
        return identify(self.image, self.source)

    def held(self, source: HeldSource, journal: Path | None) -> SlideResult:
        """Detect objects in memory, then write."""
        with ExitStack() as stack:
            state = None if journal is None else stack.enter_context(self._open_journal(journal))
            found = self._detect(source.pixels if self._input is source else self._input[:, :], journal=state)
            result = self._write_held(source, found, stack)
            if state is not None:
                state.remove()
        return result

    def _write_held(self, source: HeldSource, found: Detection, stack: ExitStack) -> SlideResult:
        spec = self.model.spec
        drawn = WholeLabels(found.polygons, source.shape[:2], self._foreground, spec.class_names)
        results = self._results(drawn, stack)
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
            results = self._results(labels, stack)
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

    def _results(self, drawn: WholeLabels | StreamingLabels, stack: ExitStack) -> ImageResults:
        """What is written; all channels are open until the stack is left."""
        pixels = None
        if "table" in self.outputs.paths and needs_image(self.measures):
            has_all = self.part.channels is None
            pixels = self.source if has_all else stack.enter_context(open_all_channels(self.image, self.part))
        margin = 0 if self._foreground is None else self._foreground.distance
        return ImageResults(
            drawn, self.model.spec, self.source, self._reach, margin, measures=self.measures, pixels=pixels
        )

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
            **self._normalizer_identity(),
        }
        kind = {
            "n_rays": spec.network.n_rays,
            "n_classes": spec.network.n_classes,
            "max_distance": spec.max_distance,
        }
        return open_journal(folder, run, **kind)

    def _normalizer_identity(self) -> dict[str, Any]:
        """Identity of a given normaliser."""
        if self.part.normalizer is True:
            return {}
        _, normalizer = as_normalizer(self.part.normalizer, self._input)
        return {"normalizer": normalizer.to_dict()}

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
                settings=self.options.identity() | self._expanded() | self._measured(),
                n_objects=n_objects,
                seconds=found.seconds | self._clock.seconds,
            )
            write_provenance(self.outputs.provenance, record)

    def _expanded(self) -> dict[str, Any]:
        return {} if self.expand is None else {"expand": str(self.expand)}

    def _measured(self) -> dict[str, Any]:
        return {"measure": list(self.measures)} if "table" in self.outputs.paths else {}

    def _identity(self) -> dict[str, Any]:
        return self._marks | {
            "file": _path_of(self.image),
            "pixel_size": self.source.pixel_size,
            "frame": asdict(Frame.of(self.source)),
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


def _write_labels(format_: Format, path: Path, results: ImageResults, before_naming: Callable[[], None]) -> None:
    retry_larger(partial(format_.write, path, results, before_naming=before_naming))


def _path_of(image: Any) -> str | None:
    return str(Path(image).resolve()) if isinstance(image, str | Path) else None

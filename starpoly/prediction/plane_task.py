"""The run of a stack, here or by the workers of a cluster: small planes each on one, large ones tile by tile on all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from .._version import __version__
from ..detection.cluster import Cluster
from ..detection.detector import Detector
from ..detection.executors import Executor, map_tiles, tasks_at_once
from ..detection.worker import ALONE
from ..errors import without_warnings
from ..io.files.identity import InputWatch, identify, origin_of
from ..io.files.url import as_path
from ..io.readers.source import Source
from .formats import SlideOutputs
from .image_run import input_channels, normalizer_identity, segment_source
from .opening import HeldSource, NotHeldError, open_plane
from .part import ImagePart
from .place import Place
from .plane_store import PlaneNote, PlaneStore
from .planes import ChosenPlanes, choose_planes
from .request import PredictionRequest
from .shared_folder import check_shared
from .slide_result import SlideResult
from .stack import StackRun


def plan_stack(
    model: Detector,
    image: Any,
    planes: ChosenPlanes,
    outputs: SlideOutputs,
    request: PredictionRequest,
    *,
    marks: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
    progress: bool = False,
    hold: bool = True,
    whole_only: bool = False,
    executor: Executor | None = None,
    watch: InputWatch | None = None,
) -> StackRun:
    """The run of an open stack.

    Parameters
    ----------
    image : path or array-like
        The image as given. Provides name and identity.
    marks, identity : mapping of JSON types, optional
        Those of the :class:`~starpoly.prediction.stack.StackRun`, where they are known.
    hold : bool
        Read small planes into memory.
    whole_only : bool
        Planes that are not held raise NotHeldError.
    executor : Executor, optional
        Runs tiles; of a file on a cluster also whole planes. Default: threads.
    watch : InputWatch, optional
        Made before the image was opened; results get no names if it has changed since.
    model, planes, outputs, request, progress
        As for :func:`starpoly.prediction.slide.segment_planes`.
    """

    def segment(source: Source, outputs: SlideOutputs, place: Place, journal: Path | None) -> SlideResult:
        shown = progress and not (planes.axes and isinstance(source, HeldSource))
        how: dict[str, Any] = {"executor": executor, "watch": None if planes.axes else watch}
        return segment_source(
            model, image, source, outputs, request, journal=journal, progress=shown, place=place, **how
        )

    def open_one(number: int) -> Source:
        source = open_plane(planes, number, request.options.memory, hold=hold)
        if whole_only and not isinstance(source, HeldSource):
            source.close()
            raise NotHeldError(f"{source.name}: is read by region")
        return source

    of_file = isinstance(image, str | Path)
    if planes.axes and (marks is None or identity is None):
        with planes.open(planes.middle) as source:
            marks = identify(image, source) if of_file else {"shape": list(source.shape), "dtype": str(source.dtype)}
            identity = {"input": marks, **_stack_identity(model, source, planes, request)}
    marks, identity = marks or {}, identity or {}
    spread = None
    if of_file and isinstance(executor, Cluster):
        spread = partial(
            _spread, executor, partial(PlaneTask, model, as_path(image).absolute(), request, marks, identity)
        )
    return StackRun(
        planes=planes,
        outputs=outputs,
        open_plane=open_one,
        segment=segment,
        identity=identity,
        marks=marks if of_file else partial(identify, image),
        request=request,
        class_names=tuple(model.spec.class_names),
        progress=progress,
        watch=watch,
        origin=origin_of(image),
        spread=spread,
    )


@dataclass(frozen=True)
class PlaneTask:
    """Segments planes of a stack on a worker, each as a whole.

    Parameters
    ----------
    model : Detector
    image : Path
    request : PredictionRequest
    marks, identity : mapping of JSON types
        Of the stack, as for :class:`~starpoly.prediction.stack.StackRun`.
    outputs : SlideOutputs
        Files of the stack.
    folder : Path
        Where the planes are stored.
    """

    model: Detector
    image: Path
    request: PredictionRequest
    marks: Mapping[str, Any]
    identity: Mapping[str, Any]
    outputs: SlideOutputs
    folder: Path

    def __call__(self, number: int) -> PlaneNote | None:
        """Segment a plane, unless it is finished; None if it is too large for that."""
        with ALONE, tempfile.TemporaryDirectory(prefix="starpoly") as state:
            check_shared(self.folder / "run.json")
            # a state of its own: another worker may still be at work on the same plane for a run that was stopped
            journal = Path(state, "plane.progress")
            run = replace(
                self._run, segment=lambda source, outputs, place, _: self._run.segment(source, outputs, place, journal)
            )
            try:
                return run.plane(self._store, number)
            except NotHeldError:
                return None

    @cached_property
    def _run(self) -> StackRun:
        with without_warnings():  # said where the run was started
            planes = choose_planes(self.image, self.request.part)
        return plan_stack(
            self.model,
            self.image,
            planes,
            self.outputs,
            self.request,
            marks=self.marks,
            identity=self.identity,
            whole_only=True,
        )

    @cached_property
    def _store(self) -> PlaneStore:
        return PlaneStore(self.folder, self.identity, self.request.analysis.columns(self.outputs), self.outputs)


def _spread(
    cluster: Cluster, task: Callable[[SlideOutputs, Path], PlaneTask], outputs: SlideOutputs, store: PlaneStore, n: int
) -> Iterator[PlaneNote | None]:
    """Notes of the planes of a stack, from workers; None for those that are too large for one."""
    work = task(outputs.absolute(), store.folder.absolute())
    for _, note in map_tiles(cluster, work, range(n), in_flight=partial(tasks_at_once, cluster)):
        yield note


def _stack_identity(
    model: Detector, source: Source, planes: ChosenPlanes, request: PredictionRequest
) -> dict[str, Any]:
    """What the results of the planes depend on, beside the image, as JSON types; ``source`` is one of them."""
    part = request.part
    region = part.region(None, source) if part.mask is not None else None
    return {
        "starpoly": __version__,
        "model": model.fingerprint(),
        "stack": [planes.axes, list(planes.lengths)],
        **model.resolve_options(request.options, source.pixel_size).identity(),
        **part.identity(region),
        **normalizer_identity(part, _quietly_matched(model, source, part)),
    }


def _quietly_matched(model: Detector, source: Source, part: ImagePart) -> Source:
    """The channels of a plane as the model takes them; its segmentation warns."""
    with without_warnings():
        return input_channels(model, source, part)

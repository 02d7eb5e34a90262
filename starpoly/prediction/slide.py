"""Segment an image and write its files: one path for crops and slides, planes and stacks, command line and Python.

Small images are held in memory; results are written after detection. Large images are read tile by tile with a journal;
results are written during detection. Formats, names, records and bytes are the same.
"""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

from .._version import __version__
from ..detection.detector import Detector
from ..detection.journal import discard, held_journal, stack_journal
from ..detection.look import Look
from ..detection.options import DetectionOptions
from ..errors import StarpolyWarning
from ..io.files.identity import InputWatch, identify
from ..io.readers.source import Source
from ..labels.linking import check_link
from .formats import SlideOutputs
from .image_run import ImageRun, input_channels, normalizer_identity
from .opening import HeldSource, check_memory, open_image, open_plane
from .part import ImagePart
from .place import Place
from .planes import ChosenPlanes, choose_planes
from .request import PredictionRequest
from .slide_result import SlideResult
from .stack import StackRun
from .stack_results import is_hyperstack

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
        Level, channels, region, mask ... Default: the whole image. Label images are in pixels of the part, outlines lie
        in the whole slide.
    journal : Path, optional
        Folder for the state of the run, removed at the end. With it, images of any size are read tile by tile.
    progress : bool
        Show a bar on a terminal.
    **settings
        Fields of :class:`~starpoly.detection.DetectionOptions` or of :class:`ImagePart` by name, and what is made of the
        objects:

        expand : float or str, optional
            Grow each object by this distance to a cell, see :func:`starpoly.labels.expand_labels`: pixels as number or
            ``"12px"``, micrometres as ``"5um"``. Tables and GeoJSON then tell of nuclei and cells; ``outputs.cells`` and
            ``outputs.zarr`` hold the cells as labels, with the ids of the nuclei.
        measure : str or iterable of str, optional
            What the table holds: some of ``shape``, ``intensity``, ``neighbours``; ``all`` or ``none``. Default: shape and
            intensity. Intensities are those of all channels, also of those that ``channels`` leaves out.
        link : {"z", "t"}, optional
            Axis along which objects of neighbouring planes that overlap get one id: greedily by intersection over union,
            the largest first.
        link_iou : float
            Least intersection over union of linked objects.

    Returns
    -------
    SlideResult

    Raises
    ------
    ImageError
        If the image cannot be read or an output cannot be written. The journal is kept.
    ConfigError
        If a setting is unknown or out of range, or ``expand`` is no distance, is in micrometres and the pixel size is not
        known, or is not given for ``outputs.cells``.
    StarpolyError
        If the journal belongs to another run.
    """
    request = PredictionRequest.by_name(options, part, settings)
    watch = InputWatch(image)
    check_memory(image, request.options.memory)
    hold = journal is None
    with choose_planes(image, request.part) as planes:
        check_link(request.analysis.link, planes.axes, image if isinstance(image, str | Path) else "array")
        if not planes.is_whole_file:
            return segment_planes(
                model, image, planes, outputs, request, journal=journal, progress=progress, hold=hold, watch=watch
            )
    with open_image(image, request.part, request.options.memory, hold=hold) as source:
        return segment_source(model, image, source, outputs, request, journal=journal, progress=progress, watch=watch)


def segment_planes(
    model: Detector,
    image: Any,
    planes: ChosenPlanes,
    outputs: SlideOutputs,
    request: PredictionRequest,
    *,
    journal: Path | None = None,
    progress: bool = False,
    hold: bool = True,
    watch: InputWatch | None = None,
) -> SlideResult:
    """Segment the chosen planes of an open image, one after the other, and write the results of the stack.

    Parameters
    ----------
    image : path or array-like
        The image as given. Provides name and identity.
    planes : ChosenPlanes
    request : PredictionRequest
    hold : bool
        Read small planes into memory.
    watch : InputWatch, optional
        Made before the image was opened; results get no names if it has changed since.
    model, outputs, journal, progress
        As for :func:`segment_slide`.
    """
    request.analysis.check(outputs)

    def segment(source: Source, outputs: SlideOutputs, place: Place, journal: Path | None) -> SlideResult:
        shown = progress and not (planes.axes and isinstance(source, HeldSource))
        return segment_source(model, image, source, outputs, request, journal=journal, progress=shown, place=place)

    def open_one(number: int) -> Source:
        return open_plane(planes, number, request.options.memory, hold=hold)

    if not planes.axes:
        with open_one(0) as source:
            place = Place(
                planes.place(0),
                is_hyperstack(planes, source),
                identify(image, source),
                partial(planes.open, 0, all_channels=True),
            )
            return segment_source(
                model, image, source, outputs, request, journal=journal, progress=progress, place=place, watch=watch
            )
    of_file = isinstance(image, str | Path)
    with planes.open(planes.middle) as source:
        marks = identify(image, source) if of_file else {"shape": list(source.shape), "dtype": str(source.dtype)}
        identity = {"input": marks, **_stack_identity(model, source, planes, request)}
    run = StackRun(
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
    request: PredictionRequest,
    *,
    journal: Path | None = None,
    progress: bool = False,
    place: Place | None = None,
    look: Look | None = None,
    watch: InputWatch | None = None,
) -> SlideResult:
    """Segment an open image and write the results.

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
    model, outputs, journal, progress
        As for :func:`segment_slide`.
    """
    run = ImageRun(model, image, source, outputs, request, progress, place, look, watch)
    if isinstance(source, HeldSource):
        large = source.shape[0] * source.shape[1] >= JOURNAL_FROM
        result = run.held(source, held_journal(journal) if journal is not None and large else None)
    else:
        result = run.streamed(journal)
    if journal is not None:
        for left in (journal, held_journal(journal), stack_journal(journal)):  # by a run with less memory, or more
            discard(left)
    return result


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StarpolyWarning)
        return input_channels(model, source, part)

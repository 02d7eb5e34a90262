"""Segment an image and write its files: one path for crops and slides, planes and stacks, command line and Python.

Small images are held in memory; results are written after detection. Large images are read tile by tile with a journal;
results are written during detection. Formats, names, records and bytes are the same.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from ..detection.cluster import open_cluster
from ..detection.detector import Detector
from ..detection.executors import Executor
from ..detection.journal import discard, held_journal
from ..detection.options import DetectionOptions
from ..io.files.identity import InputWatch, identify
from ..labels.linking import check_link
from .formats import SlideOutputs
from .image_run import segment_source
from .opening import HeldSource, NotHeldError, check_memory, open_image
from .part import ImagePart
from .place import Place
from .plane_task import plan_stack
from .planes import ChosenPlanes, choose_planes
from .request import PredictionRequest
from .slide_result import SlideResult
from .stack_results import is_hyperstack


def segment_slide(
    model: Detector,
    image: Any,
    outputs: SlideOutputs,
    options: DetectionOptions | None = None,
    *,
    part: ImagePart | None = None,
    journal: Path | None = None,
    client: Any = None,
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
    client : distributed.Client or str, optional
        Run on the workers of this dask cluster, or of the scheduler with this address (extra ``dask``), with the same
        results. Workers open ``image``, the model's folder and, for a stack, the folder of ``outputs`` at the same paths.
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
    with open_cluster(client) as cluster:
        shown: dict[str, Any] = {"journal": journal, "progress": progress, "executor": cluster, "watch": watch}
        with choose_planes(image, request.part) as planes:
            check_link(request.analysis.link, planes.axes, image if isinstance(image, str | Path) else "array")
            if not planes.is_whole_file:
                return segment_planes(model, image, planes, outputs, request, hold=hold, **shown).checked()
        with open_image(image, request.part, request.options.memory, hold=hold) as source:
            return segment_source(model, image, source, outputs, request, **shown).checked()


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
    executor: Executor | None = None,
    whole_only: bool = False,
) -> SlideResult:
    """Segment the chosen planes of an open image, one after the other, and write the results of the stack.

    ``incomplete`` of the result says what could not be written.

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
    executor : Executor, optional
        Runs tiles; of a file on a cluster also whole planes. Default: threads.
    whole_only : bool
        Raise NotHeldError for a single plane that is not held in memory.
    model, outputs, journal, progress
        As for :func:`segment_slide`.
    """
    request.analysis.check(outputs)

    how: dict[str, Any] = {"progress": progress, "hold": hold, "executor": executor, "watch": watch}
    run = plan_stack(model, image, planes, outputs, request, **how)
    if not planes.axes:
        with run.open_plane(0) as source:
            if whole_only and not isinstance(source, HeldSource):
                raise NotHeldError(f"{source.name}: is read by region")
            place = Place(
                planes.place(0),
                is_hyperstack(planes, source),
                identify(image, source),
                partial(planes.open, 0, all_channels=True),
            )
            return run.segment(source, outputs, place, journal)
    result = run.run(journal)
    if journal is not None and not result.incomplete:
        for left in (journal, held_journal(journal)):
            discard(left)
    return result

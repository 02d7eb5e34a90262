"""Segment image files one by one, each with its model, and write the results."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ImageError, StarpolyWarning, TooLargeError
from ..io.files.identity import InputWatch
from ..io.readers.registry import is_zarr
from ..labels.linking import check_link
from ..timing import Stopwatch
from .models import Choice, Models
from .opening import HeldSource, check_memory, open_image
from .outputs import Job
from .planes import ChosenPlanes, choose_planes
from .request import PredictionRequest
from .slide import segment_planes, segment_source
from .slide_result import SlideResult
from .summary import image_row
from .tolerance import is_to_blame, tolerate


def request_for(job: Job, request: PredictionRequest) -> PredictionRequest:
    """What is asked of one image, with its mask and scene."""
    part = request.part
    mask = None if part.mask is None else mask_of(job, part.mask)
    merge = part.merge_channels or request.tolerant
    return replace(request, part=replace(part, mask=mask, merge_channels=merge, scene=job.scene))


def wanted_files(formats: Iterable[str] = (), *, report: bool = False, **flags: bool) -> set[str]:
    """Names of the optional result files, from formats and flags. A report needs the table."""
    wanted = {*formats, *(name for name, asked in flags.items() if asked)}
    return wanted | {"table"} if report else wanted


def predict_file(
    job: Job,
    models: Models,
    request: PredictionRequest,
    clock: Stopwatch,
    *,
    progress: bool = False,
    several: bool = False,
) -> dict[str, Any]:
    """Segment one image file and write its results.

    Parameters
    ----------
    job : Job
    models : Models
    request : PredictionRequest
    clock : Stopwatch
        Records the seconds per stage.
    progress : bool
        Show a bar on a terminal.
    several : bool
        Whether the run has several images. Then only large ones show their own bar.

    Returns
    -------
    dict of JSON types
        A row of the :class:`~starpoly.prediction.summary.Summary`. Finished images have ``model``, ``shape``,
        ``objects`` and ``tiles``. Mask or tissue add ``skipped`` (tiles) and ``fraction`` (share of the image that is
        analysed).

    Raises
    ------
    StarpolyError
        For any failure of this image; also MemoryError.
    """
    try:
        found = _predict(job, models, request, clock, progress=progress, several=several)
    except ImageError as error:
        # otherwise the requested part may not fit the image
        if not (request.tolerant and request.part.fits_any_image and is_to_blame(error)):
            raise
        return {"input": str(job.image)} | tolerate(job, error)
    return image_row(job, "done") | found


def _predict(job: Job, models: Models, request: PredictionRequest, clock: Stopwatch, **shown: bool) -> dict[str, Any]:
    """Segment an image in memory or, if memory runs out, tile by tile."""
    request = request_for(job, request)
    check_memory(job.image, request.options.memory)
    try:
        name, result = _segment(job, models, request, clock, hold=True, **shown)
    except (MemoryError, TooLargeError):
        message = f"{job.image}: memory does not suffice for the image as a whole; going on tile by tile"
        warnings.warn(message, StarpolyWarning, stacklevel=3)
        result = None
    if result is None:  # outside the handler: held data is already released
        name, result = _segment(job, models, request, clock, hold=False, **shown)
    for stage, seconds in result.seconds.items():
        clock.seconds[stage] = clock.seconds.get(stage, 0.0) + seconds
    found = {"model": name, "shape": list(result.shape), "objects": result.n_objects, "tiles": result.n_tiles}
    if result.look:
        found["look"] = result.look
    if job.scene is not None:
        found |= {"scene": job.scene}
    if result.axes:
        found |= {"planes": dict(zip(result.axes.lower(), result.lengths, strict=True))}
    if request.part.has_region:
        found |= {"skipped": result.n_skipped, "fraction": round(result.fraction, 4)}
    return found


def _segment(
    job: Job,
    models: Models,
    request: PredictionRequest,
    clock: Stopwatch,
    *,
    progress: bool,
    several: bool,
    hold: bool,
) -> tuple[str, SlideResult]:
    with clock.timing("opening"):
        watch = InputWatch(job.image)
        planes = choose_planes(job.image, request.part)
    with planes:
        check_link(request.analysis.link, planes.axes, job.image)
        if not planes.is_whole_file:
            return _segment_planes(job, planes, models, request, progress=progress, hold=hold, watch=watch)
    with clock.timing("opening"):
        source = open_image(job.image, request.part, request.options.memory, hold=hold)
    with source:
        choice = models.choose(source, request)
        result = segment_source(
            choice.model,
            job.image,
            source,
            job.outputs,
            _with_channels(request, choice),
            journal=job.journal,
            progress=progress and not (several and isinstance(source, HeldSource)),
            look=choice.look,
            watch=watch,
        )
    return choice.name, result


def _segment_planes(
    job: Job,
    planes: ChosenPlanes,
    models: Models,
    request: PredictionRequest,
    *,
    progress: bool,
    hold: bool,
    watch: InputWatch,
) -> tuple[str, SlideResult]:
    """Segment a stack; the plane in the middle chooses model and channels."""
    with planes.open(planes.middle) as source:
        choice = models.choose(source, request)
    result = segment_planes(
        choice.model,
        job.image,
        planes,
        job.outputs,
        _with_channels(request, choice),
        journal=job.journal,
        progress=progress,
        hold=hold,
        watch=watch,
    )
    return choice.name, result


def _with_channels(request: PredictionRequest, choice: Choice) -> PredictionRequest:
    """The request with the chosen channels."""
    return replace(request, part=replace(request.part, inputs=choice.channels))


def check_mask(mask: Path | None, n_images: int) -> None:
    """Refuse one mask for several images.

    Raises
    ------
    ImageError
        If there are several images and the mask is not a folder.
    """
    if mask is not None and n_images > 1 and not (mask.is_dir() and not is_zarr(mask)):
        raise ImageError(
            f"--mask: expected a folder of masks for {n_images} images, got {mask}; give the images one by one"
        )


def mask_of(job: Job, mask: Path) -> Path:
    """The mask of an image: the given file, or the one of the same name in the given folder.

    Raises
    ------
    ImageError
        If the folder has no mask of that name, or several.
    """
    from ..io.files.naming import key

    if not mask.is_dir() or is_zarr(mask):
        return mask
    name = key(job.image)
    found = _images_by_key(mask, mask.stat().st_mtime_ns).get(name, [])
    if len(found) != 1:
        raise ImageError(f"{mask}: expected one mask called {name} or {name}_mask, got {len(found)}")
    return found[0]


@lru_cache(maxsize=1)
def _images_by_key(folder: Path, changed: int) -> dict[str, list[Path]]:
    """The images of a folder by pairing key; listed once, not for every image of a run, unless it has ``changed``."""
    from ..io.files.naming import key
    from ..io.files.pairing import image_files

    named: dict[str, list[Path]] = {}
    for path in image_files(folder):
        named.setdefault(key(path), []).append(path)
    return named

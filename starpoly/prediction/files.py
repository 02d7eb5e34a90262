"""Segment image files one by one, each with its model, and write the results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..detection.executors import Executor
from ..errors import ImageError, TooLargeError, warn
from ..io.files.identity import InputWatch
from ..io.files.url import UrlPath
from ..io.readers.registry import is_zarr
from ..labels.linking import check_link
from ..timing import Stopwatch
from .image_run import segment_source
from .models import Choice, Models
from .opening import HeldSource, NotHeldError, check_memory, open_image
from .outputs import Job
from .planes import ChosenPlanes, choose_planes
from .request import PredictionRequest
from .slide import segment_planes
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
    journal: Path | None = None,
    executor: Executor | None = None,
    whole_only: bool = False,
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
    journal : Path, optional
        Folder for the state of the run. Default: the job's.
    executor : Executor, optional
        Runs tiles. Default: threads.
    whole_only : bool
        Refuse stacks, and images that are too large to be held in memory.

    Returns
    -------
    dict of JSON types
        A row of the :class:`~starpoly.prediction.summary.Summary`. Segmented images have ``model``, ``shape``,
        ``objects`` and ``tiles``. Mask or tissue add ``skipped`` (tiles) and ``fraction`` (share of the image that is
        analysed).

    Raises
    ------
    StarpolyError
        For any failure of this image; also MemoryError. NotHeldError for ``whole_only``.
    """
    try:
        run = _Run(job, models, request_for(job, request), clock, journal or job.journal, executor, progress, several)
        found = run.whole() if whole_only else run.any_size()
    except ImageError as error:
        # otherwise the requested part may not fit the image
        if not (request.tolerant and request.part.fits_any_image and is_to_blame(error)):
            raise
        return {"input": str(job.image)} | tolerate(job, error)
    return image_row(job, "incomplete" if "error" in found else "done") | found


@dataclass(frozen=True)
class _Run:
    """The segmentation of one image file, see :func:`predict_file`."""

    job: Job
    models: Models
    request: PredictionRequest
    clock: Stopwatch
    journal: Path
    executor: Executor | None
    progress: bool
    several: bool

    def any_size(self) -> dict[str, Any]:
        """Segment an image in memory or, if memory runs out, tile by tile."""
        check_memory(self.job.image, self.request.options.memory)
        try:
            choice, result = self._segment(hold=True)
        except (MemoryError, TooLargeError):
            message = f"{self.job.image}: memory does not suffice for the image as a whole; going on tile by tile"
            warn(message, stacklevel=3)
            result = None
        if result is None:  # outside the handler: held data is already released
            choice, result = self._segment(hold=False)
        return self._described(choice, result)

    def whole(self) -> dict[str, Any]:
        """Segment an image in memory, or raise NotHeldError."""
        check_memory(self.job.image, self.request.options.memory)
        try:
            return self._described(*self._segment(hold=True, whole_only=True))
        except (MemoryError, TooLargeError) as error:
            raise NotHeldError(str(error)) from error

    def _described(self, choice: Choice, result: SlideResult) -> dict[str, Any]:
        self.clock.add(result.seconds)
        found = {
            "model": choice.name,
            "shape": list(result.shape),
            "objects": result.n_objects,
            "tiles": result.n_tiles,
        }
        if result.look:
            found["look"] = result.look
        if choice.taken:
            found["channels"] = choice.taken
        if self.job.scene is not None:
            found |= {"scene": self.job.scene}
        if result.axes:
            found |= {"planes": dict(zip(result.axes.lower(), result.lengths, strict=True))}
        if self.request.part.has_region:
            found |= {"skipped": result.n_skipped, "fraction": round(result.fraction, 4)}
        if result.incomplete:
            found["error"] = result.incomplete
        return found

    def _segment(self, *, hold: bool, whole_only: bool = False) -> tuple[Choice, SlideResult]:
        with self.clock.timing("opening"):
            watch = InputWatch(self.job.image)
            replaces = self.job.is_of_another_image()
        found = self._segment_watched(watch, hold=hold, whole_only=whole_only)
        if replaces:
            warn(
                f"{self.job.labels.name} held the labels of another image of this name, or of this one before it changed, and "
                "is replaced; with --skip-existing both are kept, or give each folder of images another -o"
            )
        return found

    def _segment_watched(self, watch: InputWatch, *, hold: bool, whole_only: bool) -> tuple[Choice, SlideResult]:
        with self.clock.timing("opening"):
            planes = choose_planes(self.job.image, self.request.part)
        with planes:
            check_link(self.request.analysis.link, planes.axes, self.job.image)
            if not planes.is_whole_file:
                if whole_only and planes.axes:
                    raise NotHeldError(f"{self.job.image}: is a stack")
                return self._segment_planes(planes, watch, hold=hold, whole_only=whole_only)
        with self.clock.timing("opening"):
            source = open_image(self.job.image, self.request.part, self.request.options.memory, hold=hold)
        with source:
            if whole_only and not isinstance(source, HeldSource):
                raise NotHeldError(f"{self.job.image}: is read by region")
            choice = self.models.choose(source, self.request, self.executor)
            result = segment_source(
                choice.model,
                self.job.image,
                source,
                self.job.outputs,
                _with_channels(self.request, choice),
                journal=self.journal,
                progress=self.progress and not (self.several and isinstance(source, HeldSource)),
                look=choice.look,
                watch=watch,
                executor=self.executor,
            )
        return choice, result

    def _segment_planes(
        self, planes: ChosenPlanes, watch: InputWatch, *, hold: bool, whole_only: bool
    ) -> tuple[Choice, SlideResult]:
        """Segment a stack; the plane in the middle chooses model and channels."""
        with planes.open(planes.middle) as source:
            choice = self.models.choose(source, self.request, self.executor)
        result = segment_planes(
            choice.model,
            self.job.image,
            planes,
            self.job.outputs,
            _with_channels(self.request, choice),
            journal=self.journal,
            progress=self.progress,
            hold=hold,
            watch=watch,
            executor=self.executor,
            whole_only=whole_only,
        )
        return choice, result


def _with_channels(request: PredictionRequest, choice: Choice) -> PredictionRequest:
    """The request with the chosen channels."""
    return replace(request, part=replace(request.part, inputs=choice.channels))


def check_mask(mask: Path | None, n_images: int) -> None:
    """Refuse a mask that is not there, or one for several images.

    Raises
    ------
    ImageError
        If nothing is there, or if there are several images and the mask is not a folder.
    """
    if mask is not None and not isinstance(mask, UrlPath) and not mask.exists():
        raise ImageError(f"--mask: expected a label image or a folder of them, got nothing at {mask}; check the path")
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

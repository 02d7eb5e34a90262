"""Tasks for the workers of a cluster: an image, or a plane of a stack, that one worker segments and writes.

Whatever is too large for that goes back, and is spread tile by tile. Workers see images, models and the output folder at the
same paths.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ..detection.cluster import Cluster, ClusterError, ClusterTask
from ..detection.detector import Detector
from ..detection.executors import map_tiles, tasks_at_once
from ..detection.journal import discard, held_journal, stack_journal
from ..detection.worker import ALONE
from ..errors import StarpolyError, collected_warnings
from ..model_zoo import available_models
from ..timing import Stopwatch
from .files import predict_file
from .models import Models
from .opening import NotHeldError
from .outputs import Job
from .request import PredictionRequest
from .shared_folder import check_shared
from .summary import image_row


@dataclass(frozen=True)
class ModelLoader:
    """Loads a model folder with some settings, see :meth:`starpoly.detection.Detector.from_pretrained`."""

    settings: Mapping[str, Any]

    def __call__(self, folder: Path) -> Detector:
        return Detector.from_pretrained(folder, **self.settings)


@dataclass(frozen=True)
class ImageOutcome:
    """What a worker did.

    Parameters
    ----------
    row : dict, optional
        As of :func:`~starpoly.prediction.files.predict_file`; None if the image is too large for one worker, or failed.
    error : Exception, optional
        If it failed.
    warnings : tuple of str
    seconds : dict of str to float
        Time per stage.
    elapsed : float
        Seconds in all.
    """

    row: dict[str, Any] | None = None
    error: Exception | None = None
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    elapsed: float = 0.0


@dataclass(frozen=True)
class ImageTask:
    """Segments images, each as a whole.

    Parameters
    ----------
    model : str, optional
        Name or folder of the model for all images. Default: chosen for each.
    load : callable
        Loads a model folder; picklable.
    request : PredictionRequest
    token : Path
        File in the output folder, see :func:`shared_folder`.
    """

    model: str | None
    load: Callable[[Path], Detector]
    request: PredictionRequest
    token: Path

    @cached_property
    def _models(self) -> Models:
        return Models(self.model, self.load)

    def __call__(self, job: Job) -> ImageOutcome:
        """Segment an image and write its files."""
        with (
            ALONE,
            tempfile.TemporaryDirectory(prefix="starpoly") as folder,
            collected_warnings() as said,
        ):
            check_shared(self.token)
            start, clock = time.perf_counter(), Stopwatch()
            # a state of its own: another worker may still be at work on the same image for a run that was stopped
            journal = Path(folder, "image.progress")
            try:
                row = predict_file(
                    job, self._models, self.request, clock, journal=journal, several=True, whole_only=True
                )
            except NotHeldError:
                return ImageOutcome()
            for left in (job.journal, held_journal(job.journal), stack_journal(job.journal)):
                discard(left)
            elapsed = time.perf_counter() - start
            return ImageOutcome(row, None, tuple(said), dict(clock.seconds), elapsed)


def spread_images(cluster: Cluster, task: ImageTask, jobs: Iterable[Job]) -> Iterator[tuple[Job, ImageOutcome]]:
    """Run a task for every job on the workers of a cluster; outcomes in the order of the jobs.

    Rows and messages have the paths of the jobs as they were given.

    Raises
    ------
    ClusterError
        If the cluster is gone.
    """
    work = replace(task, model=_absolute_model(task.model), request=_absolute_request(task.request))
    for job, outcome in map_tiles(_Reported(cluster), work, jobs, in_flight=partial(tasks_at_once, cluster)):
        yield job, _as_given(job, outcome, task.model)


class _Reported:
    """An executor whose tasks return their errors."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def submit(self, task: Callable[..., Any], /, job: Job) -> _ReportedTask:
        return _ReportedTask(self._cluster.submit(task, _absolute_job(job)))


@dataclass(frozen=True)
class _ReportedTask:
    task: ClusterTask

    def result(self) -> ImageOutcome:
        try:
            outcome: ImageOutcome = self.task.result()
        except ClusterError:
            raise
        except StarpolyError as error:
            return ImageOutcome(error=error)
        return outcome

    def cancel(self) -> bool:
        return self.task.cancel()


def _as_given(job: Job, outcome: ImageOutcome, model: str | None) -> ImageOutcome:
    """An outcome with the paths of a job, where it has their absolute ones."""
    paths = {str(path.absolute()): str(path) for path in (*job.outputs.paths.values(), job.image)}

    def given(text: str) -> str:
        for absolute in sorted(paths, key=len, reverse=True):  # one may be the beginning of another
            text = text.replace(absolute, paths[absolute])
        return text

    row, error = outcome.row, outcome.error
    if row is not None:
        row = row | {name: value for name, value in image_row(job, row["status"]).items() if name in row}
        if model is not None and "model" in row:
            row["model"] = model
        if isinstance(row.get("error"), str):
            row["error"] = given(row["error"])
    if error is not None:
        error = type(error)(given(str(error)))
    return replace(outcome, row=row, error=error, warnings=tuple(map(given, outcome.warnings)))


def _absolute_job(job: Job) -> Job:
    """A job with absolute paths, for processes in other folders."""
    return replace(job, image=job.image.absolute(), outputs=job.outputs.absolute())


def _absolute_request(request: PredictionRequest) -> PredictionRequest:
    """A request with the absolute path of its mask."""
    part = request.part
    mask = part.mask.absolute() if isinstance(part.mask, Path) else part.mask
    return replace(request, part=replace(part, mask=mask))


def _absolute_model(asked: str | None) -> str | None:
    """Name or absolute folder of a model, for processes in other folders."""
    return asked if asked is None or asked in available_models() else str(Path(asked).absolute())

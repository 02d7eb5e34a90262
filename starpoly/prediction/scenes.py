"""One job for each scene of a file that holds several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import ImageError, warn
from ..io.readers.planes import scene_names
from ..io.writers.registry import ENDINGS
from .formats import SlideOutputs
from .outputs import Job
from .plane_selection import pick


def split_scenes(jobs: Iterable[Job], wanted: Any = None) -> tuple[list[Job], list[tuple[Path, ImageError]]]:
    """Replace the job of a file that holds several scenes by one for each that is wanted.

    Results of scene 0 of ``a.lif`` are ``a_s0_label.tiff`` ..., even if it is the only one wanted.

    Parameters
    ----------
    jobs : iterable of Job
    wanted : int, slice, sequence of int or str, optional
        Scenes, counted from 0. Default: all.

    Returns
    -------
    list of Job
    list of (Path, ImageError)
        Files that have no such scene.
    """
    jobs = list(jobs)
    taken = {job.labels for job in jobs}
    split: list[Job] = []
    problems = []
    for job in jobs:
        try:
            split += _scenes_of(job, wanted, taken)
        except ImageError as error:
            problems.append((job.image, error))
    return split, problems


def _scenes_of(job: Job, wanted: Any, taken: set[Path]) -> Iterator[Job]:
    try:
        names = scene_names(job.image)
    except ImageError:  # said when it is segmented
        yield job
        return
    found, _ = pick(wanted, max(1, len(names)), "scenes", str(job.image))
    if len(names) < 2:
        yield job
        return
    for scene in found:
        yield _renamed(job, scene, taken)


def _renamed(job: Job, scene: int, taken: set[Path]) -> Job:
    ending, n = f"_s{scene}", 1
    while (outputs := _with_ending(job.outputs, ending)).paths["labels"] in taken:
        n += 1
        ending = f"_s{scene}_{n}"
    if n > 1:
        message = (
            f"{job.image}: the usual name of its labels is taken; they are written to {outputs.paths['labels'].name}"
        )
        warn(message, stacklevel=5)
    taken.add(outputs.paths["labels"])
    return replace(job, outputs=outputs, scene=scene)


def _with_ending(outputs: SlideOutputs, ending: str) -> SlideOutputs:
    """The same files, with an ending after the image's name."""
    return SlideOutputs(
        **{
            kind: path.with_name(f"{path.name.removesuffix(ENDINGS[kind])}{ending}{ENDINGS[kind]}")
            for kind, path in outputs.paths.items()
        }
    )

"""Output paths: the challenge's names, without collisions, inside the output folder."""

from __future__ import annotations

import tempfile
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..detection.journal import held_journal, is_unfinished, stack_journal
from ..errors import ImageError, OutputError, StarpolyWarning
from ..io.files.find import FoundImage
from ..io.writers.registry import ENDINGS
from .formats import SlideOutputs


@dataclass(frozen=True)
class Job:
    """One image, or one scene of a file that holds several, and its output files."""

    image: Path
    outputs: SlideOutputs
    scene: int | None = None

    @property
    def labels(self) -> Path:
        """The label image; every job has one."""
        return self.outputs.paths["labels"]

    @property
    def journal(self) -> Path:
        """Folder for the state of an unfinished run."""
        return self.labels.with_name(f".{self.labels.name}.progress")

    @property
    def is_unfinished(self) -> bool:
        """Whether a run was stopped that the next one continues."""
        return any(is_unfinished(find(self.journal)) for find in (Path, held_journal, stack_journal))

    @property
    def is_done(self) -> bool:
        """Whether all files exist and no unfinished run is about to replace them."""
        return all(path.exists() for path in self.outputs.paths.values()) and not self.is_unfinished


def plan_jobs(
    images: Iterable[FoundImage],
    output: Path,
    wanted: Iterable[str] = (),
) -> list[Job]:
    """Name the outputs of every image.

    ``a.b.tif`` in sub-folder ``s`` gives ``OUTPUT/s/a_label.tiff`` (up to the first dot, the rule of the challenge),
    ``a_overlay.png``, ``a_table.csv`` ... If an earlier image or an input file has that name, ``a.b``, ``a.b.tif``,
    ``a.b.tif_2`` ... replace ``a``, with a warning. Names depend only on the images and their order.

    Parameters
    ----------
    images : iterable of FoundImage
    output : Path
        Folder.
    wanted : iterable of str
        Names of files besides the labels, see :data:`starpoly.io.writers.registry.ENDINGS`.

    Raises
    ------
    ImageError
        If a sub-folder of the output folder links outside.
    """
    images = list(images)
    sources = {_comparable(image.path) for image in images}
    kinds = {"labels", *wanted}
    taken: dict[str, Path] = {}
    jobs = []
    for image in images:
        folder = output / image.subfolder
        if not folder.resolve().is_relative_to(output.resolve()):
            raise ImageError(f"{folder}: expected a folder inside {output}, got a link out of it; remove the link")
        for name in _names(image.path.name):
            paths = {kind: folder / f"{name}{ending}" for kind, ending in ENDINGS.items() if kind in kinds}
            job = Job(image.path, SlideOutputs(**paths))
            owner = taken.setdefault(_comparable(job.labels), image.path)
            if owner is image.path and sources.isdisjoint(map(_comparable, paths.values())):
                break
        if name != next(_names(image.path.name)):
            message = f"{image.path}: the usual name of its labels is taken; they are written to {job.labels.name}"
            warnings.warn(message, StarpolyWarning, stacklevel=2)
        jobs.append(job)
    return jobs


def check_writable(folder: Path) -> None:
    """Create the folder and test that it is writable.

    Raises
    ------
    ImageError
        If it cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ImageError(
            f"{folder}: expected a folder that can be written, got: {error.strerror or error}; choose another with -o"
        ) from error


def make_folder(folder: Path) -> None:
    """Create the folder of an image's results.

    Raises
    ------
    OutputError
        If it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: expected a folder or a free name, got: {error.strerror or error}") from error


def _names(name: str) -> Iterator[str]:
    """Candidate names before ``_label``, from the usual to the unique."""
    stem = name.rpartition(".")[0]
    full = name.lstrip(".") or "image"
    yield from dict.fromkeys(candidate for candidate in (name.split(".")[0], stem.lstrip("."), full) if candidate)
    yield from (f"{full}_{number}" for number in count(2))


def _comparable(path: Path) -> str:
    """Normalised path; equal for paths that some file systems identify (case, Unicode form)."""
    return unicodedata.normalize("NFC", str(path.resolve())).casefold()

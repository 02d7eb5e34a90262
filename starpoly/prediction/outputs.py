"""Output paths: one name per image, without collisions, inside the output folder."""

from __future__ import annotations

import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..detection.journal import held_journal, is_unfinished, stack_journal
from ..errors import ImageError, OutputError, StarpolyWarning
from ..io.files.find import FoundImage
from ..io.files.naming import challenge_names, result_names
from ..io.writers.registry import ENDINGS
from .formats import SlideOutputs

_RULES: Mapping[str, Callable[[Path], Iterator[str]]] = {"image": result_names, "challenge": challenge_names}
#: Rules of naming.
NAME_RULES = tuple(_RULES)


@dataclass(frozen=True)
class Job:
    """One image, or one scene of a file that holds several, and its output files.

    Attributes
    ----------
    image : Path
    outputs : SlideOutputs
    leading : mapping of str to str, int or float
        What the rows of its objects begin with in the table of a run, after the image: plate, well, field.
    scene : int, optional
        Which of several scenes.
    """

    image: Path
    outputs: SlideOutputs
    leading: Mapping[str, Any] = field(default_factory=dict)
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
    *,
    rule: str = "image",
) -> list[Job]:
    """Name the outputs of every image, before anything is written.

    ``a.b.tif`` in sub-folder ``s`` gives ``OUTPUT/s/a.b_label.tiff``, ``a.b_overlay.png``, ``a.b_table.csv`` ...: the image's
    name without its image suffix (:func:`starpoly.io.files.naming.stem`), whatever else is in the run. Images of one
    name, such as ``a.png`` and ``a.tif``, all take their full names, ``a.png_label.tiff`` and ``a.tif_label.tiff``, then also
    the folders around them, with a warning; so does an image whose result would replace an input. No name depends on the
    order of the images.

    Parameters
    ----------
    images : iterable of FoundImage
    output : Path
        Folder.
    wanted : iterable of str
        Names of files besides the labels, see :data:`starpoly.io.writers.registry.ENDINGS`.
    rule : {"image", "challenge"}
        ``challenge``: names up to the first dot, as the NeurIPS 2022 challenge wants them. Among images of one name the
        first keeps it.

    Raises
    ------
    ImageError
        If a sub-folder of the output folder links outside.
    """
    images = list(images)
    for image in images:
        _check_inside(output / image.subfolder, output)
    plans = [_Plan(image, output / image.subfolder, {"labels", *wanted}, _RULES[rule]) for image in images]
    _tell_apart(plans, first_keeps=rule == "challenge")
    for plan in plans:
        if plan.level:
            message = (
                f"{plan.image.path}: the usual name of its labels is taken; they are written to {plan.job.labels.name}"
            )
            warnings.warn(message, StarpolyWarning, stacklevel=2)
    return [plan.job for plan in plans]


def _check_inside(folder: Path, output: Path) -> None:
    if not folder.resolve().is_relative_to(output.resolve()):
        raise ImageError(f"{folder}: expected a folder inside {output}, got a link out of it; remove the link")


class _Plan:
    """One image on the way to its name: the ``level``-th of those that it may have."""

    def __init__(
        self, image: FoundImage, folder: Path, kinds: set[str], names_of: Callable[[Path], Iterator[str]]
    ) -> None:
        self.image, self.level = image, 0
        self._folder, self._kinds, self._names = folder, kinds, list(names_of(image.path))
        self._name()

    @property
    def is_last(self) -> bool:
        """Whether no name is left but numbered ones."""
        return self.level >= len(self._names) - 1

    def next(self) -> None:
        """Take the next name."""
        self.level += 1
        self._name()

    def _name(self) -> None:
        name = self._names[self.level] if self.level < len(self._names) else f"{self._names[-1]}_{self.level}"
        paths = {kind: self._folder / f"{name}{end}" for kind, end in ENDINGS.items() if kind in self._kinds}
        place = {} if self.image.place is None else asdict(self.image.place)
        self.job = Job(self.image.path, SlideOutputs(**paths), place)
        self.files = frozenset(map(_comparable, paths.values()))


def _tell_apart(plans: list[_Plan], *, first_keeps: bool) -> None:
    """Give longer names until no two images share a file and none replaces an input."""
    sources = {_comparable(plan.image.path) for plan in plans}
    while clashing := _clashing(plans, sources, first_keeps=first_keeps):
        for plan in clashing:
            plan.next()


def _clashing(plans: list[_Plan], sources: set[str], *, first_keeps: bool) -> list[_Plan]:
    owners: dict[str, list[_Plan]] = {}
    for plan in plans:
        for file in plan.files:
            owners.setdefault(file, []).append(plan)
    rivals = {
        id(plan)
        for sharing in owners.values()
        if len(sharing) > 1
        for plan in (sharing[1:] if first_keeps or sharing[0].is_last else sharing)
    }
    return [plan for plan in plans if id(plan) in rivals or not sources.isdisjoint(plan.files)]


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


def _comparable(path: Path) -> str:
    """Normalised path; equal for paths that some file systems identify (case, Unicode form)."""
    return unicodedata.normalize("NFC", str(path.resolve())).casefold()

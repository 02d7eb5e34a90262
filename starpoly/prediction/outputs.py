"""Output paths: one name per image, without collisions, inside the output folder."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..detection.journal import held_journal, is_unfinished, stack_journal
from ..errors import ImageError, warn
from ..io.files.atomic import beside, no_folder
from ..io.files.find import FoundImage
from ..io.files.identity import origin_of
from ..io.files.naming import challenge_names, is_hidden, is_ours, is_result, may_be_image, result_names
from ..io.files.resolved import resolved
from ..io.writers.origin import begins_as_tiff, read_origin
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
        """Folder for the state of an unfinished run, with a hidden name."""
        return beside(self.labels, "progress")

    @property
    def is_unfinished(self) -> bool:
        """Whether a run was stopped that the next one continues."""
        return any(is_unfinished(find(self.journal)) for find in (Path, held_journal, stack_journal))

    @property
    def is_done(self) -> bool:
        """Whether all files exist, as starpoly writes them, and no unfinished run is about to replace them."""
        try:
            return (
                all(_is_there(path) for path in self.outputs.paths.values())
                and begins_as_tiff(self.labels)
                and not self.is_unfinished
            )
        except OSError:  # a name that is too long for the disk: writing will say so
            return False

    def is_of_another_image(self) -> bool:
        """Whether there are labels that say that they are of an image with another content."""
        origin = read_origin(self.labels)
        try:
            return origin is not None and origin != origin_of(self.image)
        except ImageError:  # reading it for its objects will say so
            return False


def plan_jobs(
    images: Iterable[FoundImage],
    output: Path,
    wanted: Iterable[str] = (),
    *,
    rule: str = "image",
    keep_others: bool = False,
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
    keep_others : bool
        Whether an image takes a longer name where its usual one has the labels of an image with another content.

    Raises
    ------
    ImageError
        If a sub-folder of the output folder links outside.
    """
    images, comparable = list(images), _Comparable()
    folders = {subfolder: output / subfolder for subfolder in {image.subfolder for image in images}}
    for folder in folders.values():
        _check_inside(folder, output)
    kinds = {"labels", *wanted}
    named = _RULES[rule]
    plans = [_Plan(image, folders[image.subfolder], kinds, named, comparable, keep_others) for image in images]
    _tell_apart(plans, comparable, first_keeps=rule == "challenge")
    for plan in plans:
        if plan.level:
            by = f" by labels of other content, {plan.of_others}, which stay" if plan.of_others else ""
            warn(
                f"{plan.image.path}: the usual name of its labels is taken{by}; they are written to {plan.job.labels.name}"
            )
    usual = [plan.job for plan in plans if not plan.level]
    _warn_of_namesakes(usual, named, {image.path for image in images})
    return [plan.job for plan in plans]


def _is_there(path: Path) -> bool:
    """Whether a result exists, not something else in its place."""
    return not path.is_symlink() and (path.is_dir() if path.suffix == ".zarr" else path.is_file())


def _warn_of_namesakes(jobs: list[Job], names_of: Callable[[Path], Iterator[str]], together: set[Path]) -> None:
    """Warn where labels that exist may be of another image of the same name, which was segmented in a run of its own."""
    listed: dict[Path, dict[str, list[Path]]] = {}
    for job in jobs:
        if not os.path.lexists(job.labels):
            continue
        folder = job.image.parent
        if folder not in listed:
            listed[folder] = _images_by_name(folder, names_of)
        for other in listed[folder].get(next(names_of(job.image)), []):
            if other.name != job.image.name and folder / other.name not in together:
                message = (
                    f"{job.image}: {job.labels.name} exists, and {other.name} beside it would get the same name; "
                    "segment both in one command, or give each a folder with -o"
                )
                warn(message, stacklevel=3)
                break


def _images_by_name(folder: Path, names_of: Callable[[Path], Iterator[str]]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # a URL, or a folder that may not be listed
        return {}
    for path in map(Path, names):
        if may_be_image(path) and not (is_hidden(path) or is_result(path) or is_ours(path)):
            found.setdefault(next(names_of(path)), []).append(path)
    return found


def _check_inside(folder: Path, output: Path) -> None:
    if not resolved(folder).is_relative_to(resolved(output)):
        raise ImageError(f"{folder}: expected a folder inside {output}, got a link out of it; remove the link")


class _Plan:
    """One image on the way to its name: the ``level``-th of those that it may have."""

    def __init__(
        self,
        image: FoundImage,
        folder: Path,
        kinds: set[str],
        names_of: Callable[[Path], Iterator[str]],
        comparable: _Comparable,
        keep_others: bool,
    ) -> None:
        self.image, self.level, self._keep_others = image, 0, keep_others
        self.of_others = ""  # the name of labels of another image, or of this one before it changed
        self._folder, self._kinds, self._comparable = folder, kinds, comparable
        self._more = names_of(image.path)
        self._names = [next(self._more)]
        self._name()

    @property
    def is_last(self) -> bool:
        """Whether no name is left but numbered ones."""
        self._names += self._more
        return self.level >= len(self._names) - 1

    def next(self) -> None:
        """Take the next name."""
        self._names += self._more
        self.level += 1
        self._name()

    def _name(self) -> None:
        name = self._names[self.level] if self.level < len(self._names) else f"{self._names[-1]}_{self.level}"
        paths = {kind: self._folder / f"{name}{end}" for kind, end in ENDINGS.items() if kind in self._kinds}
        place = {} if self.image.place is None else asdict(self.image.place)
        self.job = Job(self.image.path, SlideOutputs(**paths), place)
        self.files = frozenset(map(self._comparable.of, paths.values()))
        # by the labels of an earlier run, which are to be kept
        self.is_taken = self._keep_others and self.job.is_of_another_image()
        if self.is_taken:
            self.of_others = self.of_others or self.job.labels.name


def _tell_apart(plans: list[_Plan], comparable: _Comparable, *, first_keeps: bool) -> None:
    """Give longer names until no two images share a file and none replaces an input."""
    sources = {comparable.of(plan.image.path) for plan in plans}
    sources |= {comparable.of(resolved(plan.image.path)) for plan in plans if os.path.islink(plan.image.path)}
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
    return [plan for plan in plans if id(plan) in rivals or not sources.isdisjoint(plan.files) or plan.is_taken]


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
    except FileExistsError as error:
        raise no_folder(folder) from error
    except OSError as error:
        raise ImageError(
            f"{folder}: expected a folder that can be written, got: {error.strerror or error}; choose another with -o"
        ) from error


class _Comparable:
    """Normalised paths; equal for those that some file systems identify (case, Unicode form). Resolves a folder once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: Path) -> str:
        """The path with the links of its folder resolved."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.join(resolved(Path(folder)), "")
        return unicodedata.normalize("NFC", self._folders[folder] + name).casefold()

"""Where the results of an image go: the challenge's names, no collisions, nothing outside the output folder."""

from __future__ import annotations

import tempfile
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path

from ..detection.journal import is_unfinished
from ..errors import ImageError, OutputError, StarpolyWarning
from ..io.files.find import FoundImage

#: Formats of results beside the label TIFF.
_ENDINGS = {"zarr": ".ome.zarr", "geojson": ".geojson", "rois": "_rois.zip"}
FORMATS = tuple(_ENDINGS)


@dataclass(frozen=True)
class Job:
    """One image and the files that are made of it; None for those that are not wanted."""

    image: Path
    labels: Path
    overlay: Path | None = None
    table: Path | None = None
    zarr: Path | None = None
    geojson: Path | None = None
    rois: Path | None = None
    provenance: Path | None = None

    @property
    def named(self) -> dict[str, Path]:
        """All files to write, by kind."""
        paths = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "image"}
        return {kind: path for kind, path in paths.items() if path is not None}

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files to write."""
        return tuple(self.named.values())

    @property
    def journal(self) -> Path:
        """Folder for the state of an unfinished run."""
        return self.labels.with_name(f".{self.labels.name}.progress")

    @property
    def is_done(self) -> bool:
        """Whether all of them exist, and no unfinished run was about to replace them."""
        return all(path.exists() for path in self.outputs) and not is_unfinished(self.journal)


def plan_jobs(
    images: Iterable[FoundImage],
    output: Path,
    *,
    overlay: bool = False,
    table: bool = False,
    formats: Iterable[str] = (),
    provenance: bool = False,
) -> list[Job]:
    """Name the outputs of every image.

    ``a.b.tif`` in sub-folder ``s`` gives ``OUTPUT/s/a_label.tiff`` (up to the first point, the rule of the challenge),
    ``a_overlay.png``, ``a_table.csv`` ... Where that name is taken, by an earlier image or by an image that is to be
    read, the longer ``a.b``, then ``a.b.tif``, then ``a.b.tif_2`` ... stand in for ``a``, with a warning. The result
    depends on the images and their order alone.

    Raises
    ------
    ImageError
        If a sub-folder of the output folder leads out of it.
    """
    images = list(images)
    sources = {_comparable(image.path) for image in images}
    taken: dict[str, Path] = {}
    jobs = []
    for image in images:
        folder = output / image.subfolder
        if not folder.resolve().is_relative_to(output.resolve()):
            raise ImageError(f"{folder}: expected a folder inside {output}, got a link out of it; remove the link")
        for name in _names(image.path.name):
            job = Job(
                image.path,
                folder / f"{name}_label.tiff",
                folder / f"{name}_overlay.png" if overlay else None,
                folder / f"{name}_table.csv" if table else None,
                **{kind: folder / f"{name}{ending}" for kind, ending in _ENDINGS.items() if kind in formats},
                provenance=folder / f"{name}_provenance.json" if provenance else None,
            )
            owner = taken.setdefault(_comparable(job.labels), image.path)
            if owner is image.path and sources.isdisjoint(map(_comparable, job.outputs)):
                break
        if name != next(_names(image.path.name)):
            message = f"{image.path}: the usual name of its labels is taken; they are written to {job.labels.name}"
            warnings.warn(message, StarpolyWarning, stacklevel=2)
        jobs.append(job)
    return jobs


def check_writable(folder: Path) -> None:
    """Make the folder and try to write there.

    Raises
    ------
    ImageError
        If it cannot be made or written.
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
    """Make the folder of an image's results.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: expected a folder or a free name, got: {error.strerror or error}") from error


def _names(name: str) -> Iterator[str]:
    """What may stand before ``_label``, from the usual to the unmistakable."""
    stem = name.rpartition(".")[0]
    full = name.lstrip(".") or "image"
    yield from dict.fromkeys(candidate for candidate in (name.split(".")[0], stem.lstrip("."), full) if candidate)
    yield from (f"{full}_{number}" for number in count(2))


def _comparable(path: Path) -> str:
    """Equal for two paths that some file system takes for one."""
    return unicodedata.normalize("NFC", str(path.resolve())).casefold()

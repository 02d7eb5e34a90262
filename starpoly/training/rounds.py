"""Files of a round of pseudo-labelling: one per image and a table, verified on reading.

An interrupted round continues: images already labelled by the same teacher are not labelled again. The table holds the
digest of each file, and the training's state the digest of the table. So a resumed training uses the same labels.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..detection.detector import Detector
from ..errors import ModelError, StarpolyError, warn, without_warnings
from ..io.console import progress_bar
from ..io.files.atomic import atomic_path, make_own_folder
from ..io.files.small_npz import UNREADABLE, open_npz, read_text
from .data import Pair
from .pseudo_labels import PseudoLabels, pseudo_labels
from .unlabelled import UnlabelledImage

TABLE = "labels.json"
_LARGEST_TEXT = 1 << 20  # bytes
_ANEW = "delete the folder of the model to start anew"


@dataclass(frozen=True)
class LabelledImage:
    """One row of the table: an image, its object counts, and the digest of its label file.

    ``problem`` explains a missing label file.
    """

    name: str
    file: str = ""
    sha256: str = ""
    pixels: int = 0
    ignored: float = 0.0
    n_objects: int = 0
    n_doubtful: int = 0
    problem: str = ""

    @property
    def certainty(self) -> float:
        """Share of the detected objects that became labels; 0 without objects."""
        return self.n_objects / max(1, self.n_objects + self.n_doubtful)


@dataclass(frozen=True)
class Round:
    """The images of a round with their label files."""

    folder: Path
    images: tuple[LabelledImage, ...]
    digest: str

    @property
    def usable(self) -> list[int]:
        """Indices of the images with at least one labelled object."""
        return [index for index, image in enumerate(self.images) if image.n_objects]

    def pairs(self, images: Sequence[UnlabelledImage]) -> list[Pair]:
        """The usable images with their labels, in table order."""
        pairs = []
        for index in self.usable:
            row = self.images[index]
            path = self.folder / row.file
            content = _read_labels(path, row.sha256)
            classes = None if content.classes is None else dict(enumerate(content.classes[1:].tolist(), start=1))
            pairs.append(Pair(row.name, images[index].read, partial(_labels_of, path, row.sha256), classes))
        return pairs

    def summary(self) -> dict[str, Any]:
        """Counts, for the model's provenance."""
        used = [self.images[index] for index in self.usable]
        pixels = sum(image.pixels for image in used)
        return {
            "images": len(self.images),
            "images_used": len(used),
            "images_unreadable": sum(bool(image.problem) for image in self.images),
            "objects": sum(image.n_objects for image in used),
            "objects_ignored": sum(image.n_doubtful for image in used),
            "pixels_ignored": round(sum(image.ignored * image.pixels for image in used) / max(1, pixels), 4),
        }


def label_images(
    folder: Path, model: Detector, images: Sequence[UnlabelledImage], *, score: float, background: float
) -> Round:
    """Pseudo-label images and write the labels with their table.

    Unusable files are skipped with a warning.

    Parameters
    ----------
    folder : Path
        Folder for the files. Earlier files of the same model are reused.
    model : Detector
    images : sequence of UnlabelledImage
    score, background : float
        See :func:`~starpoly.training.pseudo_labels.pseudo_labels`.
    """
    make_own_folder(folder)
    made_by = json.dumps({"teacher": model.fingerprint(), "score": score, "background": background})
    rows = []
    for index, image in enumerate(progress_bar(images, desc="labelling", unit="image", leave=False)):
        path = folder / f"{index:06d}.npz"
        rows.append(_left_behind(path, image.name, made_by) or _label(path, model, image, made_by, score, background))
    with atomic_path(folder / TABLE) as path:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8", newline="\n")
    return read_round(folder)


def read_round(folder: Path, digest: str | None = None) -> Round:
    """Read the round in a folder; with ``digest``, verify its table.

    Raises
    ------
    ModelError
        If the table is missing, damaged or differs from ``digest``.
    """
    path = folder / TABLE
    try:
        content = path.read_bytes()
        rows = tuple(LabelledImage(**row) for row in json.loads(content))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path}: expected the labels of the unlabelled images, got an unreadable table ({error}); {_ANEW}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if digest is not None and found != digest:
        raise ModelError(f"{path}: expected the table that the training wrote, got another one; {_ANEW}")
    if any(Path(row.file).name != row.file for row in rows):
        raise ModelError(f"{path}: expected files of its own folder, got a path to elsewhere; {_ANEW}")
    return Round(folder, rows, found)


def _label(
    path: Path, model: Detector, image: UnlabelledImage, made_by: str, score: float, background: float
) -> LabelledImage:
    try:
        with without_warnings():  # about empty or odd images: they are not trained on
            found = pseudo_labels(model, image.read(), score, background)
    except (StarpolyError, OSError, ValueError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        warn(f"{image.name}: left out of the unlabelled images: {reason}", stacklevel=3)
        path.unlink(missing_ok=True)
        return LabelledImage(image.name, problem=reason)
    row = LabelledImage(
        image.name,
        path.name,
        pixels=found.labels.size,
        ignored=round(float((found.labels < 0).mean()), 6),
        n_objects=found.n_objects,
        n_doubtful=found.n_doubtful,
    )
    arrays: dict[str, Any] = {
        "labels": found.labels,
        "made_by": np.array(made_by),
        "row": np.array(json.dumps(asdict(row))),
    }
    if found.classes is not None:
        arrays["classes"] = found.classes
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return _with_digest(row, path)


def _left_behind(path: Path, name: str, made_by: str) -> LabelledImage | None:
    """The row of a file that the same teacher wrote before an interruption."""
    if not path.exists():
        return None
    try:
        with open_npz(path) as file:
            row = LabelledImage(**json.loads(read_text(file, "row", _LARGEST_TEXT)))
            same = read_text(file, "made_by", _LARGEST_TEXT) == made_by and row.name == name and row.file == path.name
    except UNREADABLE:
        return None
    return _with_digest(row, path) if same else None


def _with_digest(row: LabelledImage, path: Path) -> LabelledImage:
    return LabelledImage(**{**asdict(row), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})


def _labels_of(path: Path, digest: str) -> NDArray[np.int32]:
    return _read_labels(path, digest).labels


def _read_labels(path: Path, digest: str) -> PseudoLabels:
    """Read a label file and verify its digest.

    Raises
    ------
    ModelError
        If the file is missing or has changed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: expected the labels of an unlabelled image, got: {error.strerror or error}; {_ANEW}"
        ) from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ModelError(f"{path}: expected the labels that the training wrote, got a changed file; {_ANEW}")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return PseudoLabels(file["labels"], 0, file["classes"] if "classes" in file.files else None)

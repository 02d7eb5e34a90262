"""Results of finished planes on disk, from which those of the stack are written; a stopped run continues from them.

The folder holds ``run.json``, which identifies the run, and for each finished plane its labels, its objects and a note
with what else is to be known of it. A note ends with a hash, keyed with the run's identity, and holds hashes of the other
files: damaged files, and those of other runs, count as unfinished planes. Reading executes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..detection.journal import begin_run, delete_run, remove_unless_file
from ..errors import ImageError
from ..io.files.atomic import atomic_path, not_written
from ..io.readers.images import open_source
from ..io.readers.source import Source
from ..io.writers.plane_record import RecordedObjects, read_record
from ..io.writers.registry import Format
from ..io.writers.results import Results
from ..tiling import Box
from .formats import SlideOutputs
from .slide_result import SlideResult

_HASH_BYTES = 32
_LARGEST_NOTE = 1 << 20  # bytes


@dataclass(frozen=True)
class _Record(Format):
    """The objects of a plane; with the outlines of their masks, if a file of the stack holds these."""

    outlined: bool = False

    def write(self, path: Path, results: Results, **settings: Any) -> None:
        """Write the objects."""
        super().write(path, results, outlined=self.outlined, **settings)


class PlaneOutputs(SlideOutputs):
    """Files of a plane of a stack: labels, objects, and a record of the run if the stack is to have one.

    Parameters
    ----------
    labels, record : Path
    provenance : Path or None
    stack : SlideOutputs
        Files of the stack.
    """

    def __init__(self, labels: Path, record: Path, provenance: Path | None, stack: SlideOutputs) -> None:
        super().__init__(labels=labels, provenance=provenance)
        self.record, self._stack = record, stack

    @property
    def measured(self) -> bool:
        """Whether a file of the stack holds what is measured."""
        return self._stack.measured

    def formats(self) -> list[tuple[Format, Path]]:
        """The objects; see :meth:`SlideOutputs.formats`."""
        return [(_Record("", "plane_record", outlined=self._stack.outlined), self.record)]

    def written(self) -> list[Path]:
        """All of them."""
        return [*self.paths.values(), self.record]


@dataclass(frozen=True)
class PlaneNote:
    """What is to be known of a finished plane beside its files.

    ``marks`` tell its pixels from others, where the run's identity does not.
    """

    result: SlideResult
    warnings: tuple[str, ...] = ()
    marks: Mapping[str, Any] = field(default_factory=dict)


class PlaneStore:
    """Finished planes of one run in a folder.

    Parameters
    ----------
    folder : Path
        Created if missing.
    run : mapping of JSON types
        Everything the results depend on. A folder of another run is refused.
    columns : mapping of JSON types
        What the columns of the objects depend on: a plane with others is not finished.
    outputs : SlideOutputs
        Files of the stack: they say what is to be known of a plane.

    Raises
    ------
    StarpolyError
        If the folder holds another run's planes, or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        run: Mapping[str, Any],
        columns: Mapping[str, Any],
        outputs: SlideOutputs,
    ) -> None:
        self.folder, self._outputs = folder, outputs
        self._columns = dict(columns) | {"outlined": outputs.outlined}
        text = json.dumps(run, indent=1, sort_keys=True)
        self._key = hashlib.blake2b(text.encode(), digest_size=_HASH_BYTES).digest()
        begin_run(folder, text, ("plane_*", ".plane_*"))

    def outputs(self, number: int) -> PlaneOutputs:
        """Files of a plane."""
        record = self._path(number, "_provenance.json") if self._outputs.provenance is not None else None
        labels, objects = self._path(number, ".tiff"), self._path(number, ".objects")
        return PlaneOutputs(labels, objects, record, self._outputs)

    def journal(self, number: int) -> Path:
        """Folder for the state of an unfinished plane."""
        return self._path(number, ".progress")

    def finish(self, number: int, note: PlaneNote) -> None:
        """Note that a plane is finished.

        Raises
        ------
        OutputError
            If the note cannot be written.
        """
        content = {
            "result": vars(note.result),
            "warnings": note.warnings,
            "marks": note.marks,
            "columns": self._columns,
        }
        path = self._path(number, ".json")
        try:
            files = [_digest(path) for path in self.outputs(number).written()]
            text = json.dumps(content | {"files": files}).encode()
            remove_unless_file(path)
            with atomic_path(path, sync=False) as temporary:
                temporary.write_bytes(text + b"\n" + self._hash(number, text))
        except OSError as error:
            raise not_written(path, error) from error

    def load(self, number: int, marks: Mapping[str, Any]) -> PlaneNote | None:
        """The note of a plane; None if it is not finished, or its pixels had other marks."""
        try:
            path = self._path(number, ".json")
            if path.stat().st_size > _LARGEST_NOTE:
                return None
            text, _, code = path.read_bytes().rpartition(b"\n")
            if code != self._hash(number, text):
                return None
            note = json.loads(text)
            if (note["marks"], note["columns"]) != (marks, self._columns):
                return None
            if note["files"] != [_digest(path) for path in self.outputs(number).written()]:
                return None
        except (OSError, ValueError):
            return None
        result = note["result"] | {"shape": tuple(note["result"]["shape"]), "lengths": ()}
        return PlaneNote(SlideResult(**result), tuple(note["warnings"]), note["marks"])

    def objects(self, number: int) -> Iterator[RecordedObjects]:
        """The objects of a finished plane, in parts."""
        return read_record(self.outputs(number).record)

    @contextmanager
    def labels(self, number: int, ids: NDArray[np.uint32]) -> Iterator[StoredLabels]:
        """Labels of a finished plane; ``ids`` are what each of its own ids 0, 1 ... becomes."""
        with StoredLabels(self.outputs(number).paths["labels"], ids) as labels:
            yield labels

    def provenance(self, number: int) -> dict[str, Any]:
        """The record of a plane's run."""
        found: dict[str, Any] = json.loads(self._path(number, "_provenance.json").read_text(encoding="utf-8"))
        return found

    def remove(self) -> None:
        """Delete the folder; the run is finished."""
        delete_run(self.folder)

    def _path(self, number: int, ending: str) -> Path:
        return self.folder / f"plane_{number:07d}{ending}"

    def _hash(self, number: int, text: bytes) -> bytes:
        digest = hashlib.blake2b(text, key=self._key, digest_size=_HASH_BYTES, salt=number.to_bytes(8, "little"))
        return digest.hexdigest().encode()


class StoredLabels:
    """The label image of a plane in a TIFF, with other ids; :class:`~starpoly.io.writers.pyramid.RegionLabels`.

    A context manager that closes the file.
    """

    def __init__(self, path: Path, ids: NDArray[np.uint32]) -> None:
        self._path, self._ids = path, ids
        self._levels: dict[int, Source] = {0: open_source(path)}
        self.shape, self.dtype = self._levels[0].shape[:2], ids.dtype

    def __enter__(self) -> StoredLabels:
        return self

    def __exit__(self, *error: object) -> None:
        for source in self._levels.values():
            source.close()

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box, from a level of the pyramid where it has them."""
        level = self._level(step, box)
        if level is None:
            own = self._levels[0][box.slices][::step, ::step, 0]
        else:
            small = Box(box.y0 // step, box.x0 // step, -(-box.y1 // step), -(-box.x1 // step))
            own = level[small.slices][..., 0]
        if own.max(initial=0) >= len(self._ids):
            raise ImageError(f"{self._path}: expected ids below {len(self._ids)}, got {own.max()}; repeat the command")
        return self._ids[own]

    def _level(self, step: int, box: Box) -> Source | None:
        """The level of every ``step``-th pixel, if the file has it and the box starts at one of them."""
        number = step.bit_length() - 1
        if step != 1 << number or number >= len(self._levels[0].levels) or box.y0 % step or box.x0 % step:
            return None
        if number not in self._levels:
            self._levels[number] = open_source(self._path, level=number)
        return self._levels[number]


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_HASH_BYTES)).hexdigest()

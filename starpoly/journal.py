"""What the finished tiles of a run have found, on disk, so that a run that was stopped goes on from there.

A folder holds ``run.json``, which says what the run is, and a file per finished tile. Each file is
written whole or not at all; one that cannot be read counts as not finished. Nothing in it executes.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import StarpolyError
from .io.atomic import atomic_path
from .polygons import StarPolygons

_RUN_FILE = "run.json"


@dataclass(frozen=True)
class TileResult:
    """What is left of a tile after suppression within it.

    ``kept`` is decided; ``pending`` may still conflict with what lies in other tiles. ``n_candidates``
    is how many there were.
    """

    kept: StarPolygons
    pending: StarPolygons
    n_candidates: int


class TileJournal:
    """The tiles of one run in a folder.

    Parameters
    ----------
    folder : Path
        Made if missing.
    run : mapping of JSON types
        All that the result depends on: model, input, settings. A journal of another run is refused.

    Raises
    ------
    StarpolyError
        If the folder holds the journal of another run, or something else.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        wanted = json.loads(json.dumps(run))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if (self.folder / _RUN_FILE).exists():
                self._check(wanted)
            else:
                with atomic_path(self.folder / _RUN_FILE) as path:
                    path.write_text(json.dumps(wanted, indent=1, sort_keys=True), encoding="utf-8")
        except OSError as error:
            raise StarpolyError(f"{self.folder}: the state of the run cannot be written ({error.strerror or error})") from error

    def _check(self, wanted: dict[str, Any]) -> None:
        try:
            found = json.loads((self.folder / _RUN_FILE).read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        changed = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        if changed:
            raise StarpolyError(
                f"{self.folder}: holds the state of a run with another {', '.join(changed)}; "
                "repeat that run's command to finish it, or delete the folder to start anew"
            )

    def load(self, index: int) -> TileResult | None:
        """The result of a tile, or None if it is not finished."""
        path = self._path(index)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                return TileResult(_unpack(file, "kept"), _unpack(file, "pending"), int(file["n_candidates"]))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            return None

    def store(self, index: int, result: TileResult) -> None:
        """Write the result of a tile.

        Raises
        ------
        StarpolyError
            If it cannot be written, for lack of space say; the finished tiles stay.
        """
        try:
            with atomic_path(self._path(index)) as path, path.open("wb") as file:
                np.savez(
                    file,
                    n_candidates=np.array(result.n_candidates),
                    **_pack(result.kept, "kept"),
                    **_pack(result.pending, "pending"),
                )
        except OSError as error:
            raise StarpolyError(
                f"{self.folder}: cannot be written ({error.strerror or error}); "
                "make room and repeat the command, it continues from the finished tiles"
            ) from error

    def remove(self) -> None:
        """Delete the journal; the run is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, index: int) -> Path:
        return self.folder / f"tile_{index:07d}.npz"


def _pack(polygons: StarPolygons, name: str) -> dict[str, Any]:
    columns = {
        f"{name}_points": polygons.points,
        f"{name}_distances": polygons.distances,
        f"{name}_probabilities": polygons.probabilities,
    }
    if polygons.class_probabilities is not None:
        columns[f"{name}_classes"] = polygons.class_probabilities
    return columns


def _unpack(file: Mapping[str, Any], name: str) -> StarPolygons:
    classes = file.get(f"{name}_classes")
    return StarPolygons(file[f"{name}_points"], file[f"{name}_distances"], file[f"{name}_probabilities"], classes)

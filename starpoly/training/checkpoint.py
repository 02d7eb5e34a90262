"""Checkpoint of a training in one file, written atomically: weights, optimiser, average and position."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .._version import __version__
from ..errors import ModelError
from ..io.files.atomic import atomic_path
from .resuming import FILE_NAME, open_checkpoint


def made_with() -> dict[str, str]:
    """Versions that a checkpoint notes."""
    return {"starpoly": __version__, "backend": keras.backend.backend(), "keras": keras.__version__}


def save_checkpoint(folder: Path, model: keras.Model, state: dict[str, Any], sums: Sequence[np.ndarray] = ()) -> None:
    """Write the model's and its optimiser's variables, a JSON-able ``state`` and sums of losses."""
    arrays: dict[str, Any] = {f"variable_{i}": np.asarray(value) for i, value in enumerate(_variables(model))}
    arrays |= {f"sum_{i}": value for i, value in enumerate(sums)}
    archive = io.BytesIO()  # an archive is written in some eight pieces per array, and jumps back after each
    np.savez(archive, state=np.array(json.dumps(state)), **arrays)
    with atomic_path(folder / FILE_NAME) as path:
        path.write_bytes(archive.getbuffer())


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoint, if there is one."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def restore_checkpoint(folder: Path, model: keras.Model) -> list[np.ndarray]:
    """Set the model's and its optimiser's variables from the checkpoint; return the sums of losses.

    Raises
    ------
    ModelError
        If the checkpoint belongs to another network.
    """
    variables = _variables(model)
    with open_checkpoint(folder) as file:
        arrays, sums = (_numbered(file, name) for name in ("variable_", "sum_"))
    if [a.shape for a in arrays] != [tuple(v.shape) for v in variables]:
        raise ModelError(
            f"{folder / FILE_NAME}: expected the variables of this network, got those of another; delete it to start anew"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return sums


def _numbered(file: Any, name: str) -> list[np.ndarray]:
    return [file[f"{name}{i}"] for i in range(sum(entry.startswith(name) for entry in file.files))]


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]

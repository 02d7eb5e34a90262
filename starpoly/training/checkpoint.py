"""Checkpoint of a training in one file, written atomically: weights, optimiser, average and position."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..errors import ModelError
from ..io.files.atomic import atomic_path

FILE_NAME = "checkpoint.npz"


def save_checkpoint(folder: Path, model: keras.Model, state: dict[str, Any]) -> None:
    """Write the model's and its optimiser's variables and a JSON-able ``state``."""
    arrays: dict[str, Any] = {f"variable_{i}": np.asarray(value) for i, value in enumerate(_variables(model))}
    with atomic_path(folder / FILE_NAME) as path, path.open("wb") as file:
        np.savez(file, state=np.array(json.dumps(state)), **arrays)


def read_state(folder: Path) -> dict[str, Any] | None:
    """Read the state of a checkpoint; None if there is no file.

    Raises
    ------
    ModelError
        If the file is not a checkpoint.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return json.loads(str(file["state"]))
    except (OSError, EOFError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path}: expected a checkpoint of a training, got an unreadable file ({error}); delete it to start anew"
        ) from error


def restore_checkpoint(folder: Path, model: keras.Model) -> None:
    """Set the model's and its optimiser's variables from the checkpoint.

    Raises
    ------
    ModelError
        If the checkpoint belongs to another network.
    """
    variables = _variables(model)
    with np.load(folder / FILE_NAME, allow_pickle=False) as file:
        arrays = [file[f"variable_{i}"] for i in range(len(file.files) - 1)]
    if [a.shape for a in arrays] != [tuple(v.shape) for v in variables]:
        raise ModelError(
            f"{folder / FILE_NAME}: expected the variables of this network, got those of another; delete it to start anew"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]

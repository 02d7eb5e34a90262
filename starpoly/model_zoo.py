"""Find models: those that ship with starpoly by name, any model folder by path."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from .errors import ModelError, suggestion

_DEFAULT = "cells-generalist"
_DEFAULTS = ("cells-fast", "cells-generalist")
_MARKS = ("model.json", "config.json")
"""Files that mark a model folder: starpoly's and StarDist's."""


def default_model() -> str:
    """Name of the model for images of any kind."""
    return _DEFAULT


def default_models() -> tuple[str, ...]:
    """Names of the models that a look at an image asks one after the other, the quickest first."""
    return _DEFAULTS


def available_models() -> list[str]:
    """Names of the models that ship with starpoly, sorted."""
    found = {folder.name for root in _roots() for folder in root.iterdir() if _is_model(folder)}
    return sorted(found)


def find_model(name_or_folder: str | Path) -> Path:
    """The folder of a shipped model or of one given by its path.

    Parameters
    ----------
    name_or_folder : str or path
        A name from :func:`available_models`, or a folder with ``model.json`` (starpoly) or ``config.json``
        (StarDist 2D). A shipped model takes precedence over a folder of the same bare name; write
        ``./name`` for the folder.

    Raises
    ------
    ModelError
        If there is no such model; the message lists those there are.
    """
    if not isinstance(name_or_folder, str | os.PathLike):
        raise ModelError(f"expected the name or folder of a model, got {name_or_folder!r}")
    if not str(name_or_folder):
        raise ModelError(f"expected the name or folder of a model, got an empty text; {_advice('')}")
    name = str(name_or_folder)
    # names are compared with a listing: no user input is ever joined to a path
    for root in _roots():
        for folder in root.iterdir():
            if folder.name == name and not isinstance(name_or_folder, Path) and _is_model(folder):
                return folder
    folder = Path(name_or_folder)
    if _is_model(folder):
        return folder
    if folder.is_dir():
        raise ModelError(f"{folder}: holds neither {_MARKS[0]} (starpoly) nor {_MARKS[1]} (StarDist 2D)")
    raise ModelError(f"{name}: no such model or model folder; {_advice(name)}")


def pretrained_encoder(name: str) -> Path:
    """The weights file of an encoder that ships with the models.

    Raises
    ------
    ModelError
        If this installation lacks it.
    """
    for root in _roots():
        path = root / "encoders" / f"{name}.h5"
        if path.is_file():
            return path
    raise ModelError(f"encoder {name}: its weights do not ship with this installation; train without pretrained")


def _advice(name: str) -> str:
    shipped = available_models()
    if not shipped:
        return "no models ship with this installation"
    return f"available: {', '.join(shipped)}{suggestion(Path(name).name.lower(), shipped)}"


def _is_model(folder: Path) -> bool:
    try:
        return any((folder / mark).is_file() for mark in _MARKS)
    except (OSError, ValueError):
        return False


def _roots() -> list[Path]:
    """Folders of shipped models: in the installed package, or beside it in a checkout."""
    package = Path(str(resources.files(__package__)))
    candidates = (package / "pretrained", package.parent / "models")
    # beside an installed package lie other packages: setup.cfg marks a checkout
    checkout = (package.parent / "setup.cfg").is_file()
    return [root for root in candidates[: 2 if checkout else 1] if root.is_dir()]

"""Models of a run: the requested one, or one chosen per image."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..detection.detector import Detector

_log = logging.getLogger(__name__)


class Models:
    """The models of a run, loaded on first use.

    Parameters
    ----------
    asked : str or None
        Name or folder of the model for all images; None to choose for each.
    load : callable
        Loads a model folder.

    Raises
    ------
    ModelError
        If a model that may be needed is missing.
    """

    def __init__(self, asked: str | None, load: Callable[[Path], Detector]) -> None:
        from ..model_zoo import default_model, find_model, fluorescence_model

        names = (fluorescence_model(), default_model()) if asked is None else (asked,)
        self.folders = {name: find_model(name) for name in names}
        self._asked, self._load = asked, load
        self._loaded: dict[str, Detector] = {}
        self._last: str | None = None

    def __str__(self) -> str:
        return "chosen for each image" if self._asked is None else str(self.folders[self._asked])

    def suited_to(self, image: Any, *, by_name: bool = False) -> tuple[str, Detector]:
        """The model for an image, and its requested or chosen name.

        Parameters
        ----------
        image : array-like (Y, X) or (Y, X, C)
            Its middle determines the choice, if there is one. Repeated choices are not logged again.
        by_name : bool
            As for :func:`starpoly.prediction.suitable_model`.
        """
        name = self._asked or self._choose(image, by_name)
        if name not in self._loaded:
            self._loaded[name] = self._load(self.folders[name])
        return name, self._loaded[name]

    def _choose(self, image: Any, by_name: bool) -> str:
        from .model_choice import named_nuclei, suitable_model

        name = suitable_model(image, by_name=by_name)
        if name != self._last:
            seen = "the background" if not by_name or named_nuclei(image) is None else "the names of channels"
            _log.info("model %s, chosen by %s (--model for another)", name, seen)
        self._last = name
        return name

"""Which model each image of a run is segmented with: the one that was asked for, or the one that suits the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cli.common import say

if TYPE_CHECKING:
    from ..model import StarPoly2D


class Models:
    """The models of a run, each loaded when an image needs it.

    Parameters
    ----------
    asked : str or None
        Name or folder of the model for all images; None to choose for each.
    load : callable
        Loads the model of a folder.
    quiet : bool
        Do not say what was chosen.

    Raises
    ------
    ModelError
        If a model that may be needed is not there.
    """

    def __init__(self, asked: str | None, load: Callable[[Path], StarPoly2D], *, quiet: bool = False) -> None:
        from ..model_zoo import default_model, find_model, fluorescence_model

        names = (fluorescence_model(), default_model()) if asked is None else (asked,)
        self.folders = {name: find_model(name) for name in names}
        self._asked, self._load, self._quiet = asked, load, quiet
        self._loaded: dict[str, StarPoly2D] = {}
        self._last: str | None = None

    def __str__(self) -> str:
        return "chosen for each image" if self._asked is None else str(self.folders[self._asked])

    def suited_to(self, image: Any, path: object) -> tuple[str, StarPoly2D]:
        """The model for an image, and its name as it was asked for or chosen.

        Parameters
        ----------
        image : array-like (Y, X) or (Y, X, C)
            Its middle is looked at, if there is a choice.
        path : path
            The image in what is said; a choice like that for the image before is not said again.
        """
        name = self._asked or self._choose(image, path)
        if name not in self._loaded:
            self._loaded[name] = self._load(self.folders[name])
        return name, self._loaded[name]

    def _choose(self, image: Any, path: object) -> str:
        from .model_choice import suitable_model

        name = suitable_model(image)
        if name != self._last and not self._quiet:
            say(f"starpoly: {path}: model {name}, by the look of it (--model for another)")
        self._last = name
        return name

"""Models of a run: the requested one, or the one of several that explains an image best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..io.readers.given import as_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..detection.details import Details
    from ..detection.detector import Detector
    from ..detection.executors import Executor
    from ..detection.look import Look
    from ..io.readers.source import Source
    from .channel_sets import ChannelSets
    from .request import PredictionRequest
    from .views import ViewMaker


@dataclass(frozen=True)
class Choice:
    """A model for an image.

    Parameters
    ----------
    name : str
        As requested, or the shipped model's.
    model : Detector
    channels : tuple of int, optional
        Channels of the opened image, in the order of the network's inputs. None: as they are.
    look : Look, optional
        How it was chosen; None where there was nothing to choose but the scale.
    taken : dict of JSON types
        The chosen channels, ``taken`` by index or as the user named them, their ``names``, and the number there are, ``of``;
        empty where none was chosen.
    """

    name: str
    model: Detector
    channels: tuple[int, ...] | None = None
    look: Look | None = None
    taken: dict[str, Any] = field(default_factory=dict)

    def predict_instances(self, image: Any, **settings: Any) -> tuple[NDArray[np.int32], Details]:
        """Detect the objects of the image that was looked at, see :meth:`starpoly.StarPoly2D.predict_instances`."""
        if self.look is None and self.channels is not None:
            image = as_image(image)[..., list(self.channels)]
        return self.model.predict_instances(image, look=self.look, **settings)


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

    Attributes
    ----------
    is_useless : bool
        Whether the requested model cannot be loaded: no image can be segmented.
    """

    def __init__(self, asked: str | None, load: Callable[[Path], Detector]) -> None:
        from ..model_zoo import default_models, find_model

        names = default_models() if asked is None else (asked,)
        self.folders = {name: find_model(name) for name in names}
        self._asked, self._load = asked, load
        self._loaded: dict[str, Detector] = {}
        self.is_useless = False

    def __str__(self) -> str:
        return "chosen for each image" if self._asked is None else str(self.folders[self._asked])

    def choose(self, source: Source, request: PredictionRequest, executor: Executor | None = None) -> Choice:
        """The model for an image, with channels and scale.

        Parameters
        ----------
        source : Source
            The opened ``request.part``. Its middle determines the choice, if there is one.
        request : PredictionRequest
        executor : Executor, optional
            Reads the image for its percentiles. Default: threads.

        Raises
        ------
        ImageError, ModelError
            If the model does not support the image's channels, or cannot be loaded.
        """
        from .channel_sets import ChannelSets
        from .views import ViewMaker

        possible, maker = ChannelSets(source), ViewMaker(source, request, executor)
        look = None
        for name in self.folders:
            sets = self._channel_sets(possible, name, request)
            if len(self.folders) == len(sets) == 1:
                return Choice(name, self._get(name), sets[0] or None, taken=_taken(sets[0], source, request))
            found = self._look(maker, name, sets)
            look = found if look is None else look.beside(found)
            if look.best.is_sure:
                break  # the others need not even be loaded
        assert look is not None  # there is a model
        best = look.best.view
        maker.warn_of(best)
        taken = _taken(best.channels, source, request)
        return Choice(best.model, self._get(best.model), best.channels or None, look, taken)

    def _look(self, maker: ViewMaker, name: str, sets: list[tuple[int, ...]]) -> Look:
        """What a model sees in each of these channels, and in the most telling ones together."""
        from ..detection.look import SIDE_OF_SEVERAL, look_at

        model = self._get(name)
        look = look_at(maker.view(model, name, channels) for channels in sets)
        joined = self._together(look, sets, model.spec.network.n_channels)
        return look if joined is None else look.beside(look_at([maker.view(model, name, joined)], SIDE_OF_SEVERAL))

    def _get(self, name: str) -> Detector:
        if name not in self._loaded:
            try:
                self._loaded[name] = self._load(self.folders[name])
            except ModelError:
                self.is_useless = self._asked is not None
                raise
        return self._loaded[name]

    def _channel_sets(self, possible: ChannelSets, name: str, request: PredictionRequest) -> list[tuple[int, ...]]:
        from .channel_sets import NATURAL

        if request.part.normalizer is not True:
            return [NATURAL]
        named = request.part.channels is not None
        return possible.of(self._get(name).spec.network.n_channels, asked=self._asked is not None, named=named)

    def _together(self, look: Look, sets: list[tuple[int, ...]], n_inputs: int) -> tuple[int, ...] | None:
        """The most telling channels together, where the image does not say which belong together."""
        from .channel_sets import NATURAL, together

        if len(sets) == 1 or NATURAL in sets:
            return None
        findings = sorted(look.findings, key=lambda finding: -finding.score)
        return together(list(dict.fromkeys(finding.view.channels[0] for finding in findings)), n_inputs)


def _taken(channels: tuple[int, ...], source: Source, request: PredictionRequest) -> dict[str, Any]:
    """What to tell of chosen channels."""
    if not channels:
        return {}
    n, asked, names = source.shape[2], request.part.channels, source.channel_names
    chosen = list(dict.fromkeys(channels))
    # of channels that the user named, by these names
    taken = [asked[channel] if asked is not None and len(asked) == n else channel for channel in chosen]
    return {"taken": taken, "names": [names[channel] if names else "" for channel in chosen], "of": n}

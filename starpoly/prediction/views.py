"""Views of an image for a look: some of its channels, normalised as in the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..config import NormalizationConfig
from ..detection.detector import Detector
from ..detection.executors import Executor, spread_over
from ..detection.look import View
from ..errors import collected_warnings, warn
from ..images.levels import Levels, measure_levels
from ..images.normalization import Normalizer, normalizer_at
from ..io.readers.source import Source
from ..io.readers.view import SourceView
from .image_run import input_channels
from .opening import HeldSource
from .request import PredictionRequest


class ViewMaker:
    """Makes views of one image; the image is read once for the percentiles of all channels.

    Parameters
    ----------
    source : Source
    request : PredictionRequest
    executor : Executor, optional
        Reads the image for its percentiles. Default: threads.
    """

    def __init__(self, source: Source, request: PredictionRequest, executor: Executor | None = None) -> None:
        self._source, self._request, self._executor = source, request, executor
        self._levels: dict[NormalizationConfig, Levels] = {}
        self._messages: dict[tuple[str, tuple[int, ...]], list[str]] = {}

    def view(self, model: Detector, name: str, channels: tuple[int, ...]) -> View:
        """These channels, or those that the model takes without a choice. Its warnings are kept."""
        with collected_warnings() as self._messages[name, channels]:
            view = self._natural(model, name) if not channels else self._of(model, name, channels)
        return view

    def warn_of(self, view: View) -> None:
        """Give the warnings of a view, once it is chosen.

        Warns
        -----
        StarpolyWarning
            For values that are not finite, channels without contrast, and channels that the model mixes.
        """
        for message in self._messages[view.model, view.channels]:
            warn(message)

    def _natural(self, model: Detector, name: str) -> View:
        source, part = self._source, self._request.part
        image = input_channels(model, source, part)
        picked = tuple(range(source.shape[2])) if image is source else getattr(image, "channels", None)
        shared = part.normalizer is True and picked is not None
        normalizer = self._normalizer(model.spec.normalization, tuple(picked or ())) if shared else part.normalizer
        return self._view(model, name, image, normalizer)

    def _of(self, model: Detector, name: str, channels: tuple[int, ...]) -> View:
        chosen, normalizer = (
            SourceView(self._source, channels=channels),
            self._normalizer(model.spec.normalization, channels),
        )
        return self._view(model, name, chosen, normalizer, channels)

    def _view(self, model: Detector, name: str, image: Any, normalizer: Any, channels: tuple[int, ...] = ()) -> View:
        options = model.resolve_options(self._request.options, self._source.pixel_size)
        how: dict[str, Any] = {"name": name, "channels": channels, "executor": self._executor}
        return model.view(self._pixels(image), options, normalizer=normalizer, **how)

    def _pixels(self, view: Source) -> Any:
        """An array, if the image is in memory."""
        return np.asarray(view) if isinstance(self._source, HeldSource) else view

    def _normalizer(self, config: NormalizationConfig, channels: tuple[int, ...]) -> Normalizer:
        """That of these channels, from the levels of all."""
        if config not in self._levels:
            self._levels[config] = measure_levels(self._source, config, run=spread_over(self._executor, self._source))
        levels = self._levels[config].of(channels)
        levels.warn()
        return normalizer_at(levels)

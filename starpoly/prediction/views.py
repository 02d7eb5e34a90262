"""Views of an image for a look: some of its channels, normalised as in the whole image."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..config import NormalizationConfig
from ..detection.detector import Detector
from ..detection.look import View
from ..images.normalization import Normalizer, fit_normalizer
from ..io.readers.source import Source
from ..io.readers.view import SourceView
from .image_run import input_channels
from .opening import HeldSource
from .request import PredictionRequest


class ViewMaker:
    """Makes views of one image; the image is read once for the percentiles of all of them.

    Parameters
    ----------
    source : Source
    config : NormalizationConfig
    request : PredictionRequest
    """

    def __init__(self, source: Source, config: NormalizationConfig, request: PredictionRequest) -> None:
        self._source, self._config, self._request = source, config, request

    @cached_property
    def _normalizer(self) -> Normalizer:
        return fit_normalizer(self._source, self._config, warn=False)

    def view(self, model: Detector, name: str, channels: tuple[int, ...]) -> View:
        """These channels, or those that the model takes without a choice."""
        source, part = self._source, self._request.part
        options = model.resolve_options(self._request.options, source.pixel_size)
        if not channels:
            return model.view(
                self._pixels(input_channels(model, source, part)), options, name=name, normalizer=part.normalizer
            )
        chosen, normalizer = SourceView(source, channels=channels), self._pick(channels)
        return model.view(self._pixels(chosen), options, name=name, normalizer=normalizer, channels=channels)

    def _pixels(self, view: Source) -> Any:
        """An array, if the image is in memory."""
        return np.asarray(view) if isinstance(self._source, HeldSource) else view

    def _pick(self, channels: tuple[int, ...]) -> Normalizer:
        whole = self._normalizer
        low, high, fill = ([values[channel] for channel in channels] for values in (whole.low, whole.high, whole.fill))
        return Normalizer(tuple(low), tuple(high), tuple(fill))

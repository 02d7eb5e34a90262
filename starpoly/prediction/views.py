"""Views of an image for a look: some of its channels, normalised as in the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..config import NormalizationConfig
from ..detection.detector import Detector
from ..detection.executors import Executor, spread_over
from ..detection.look import View
from ..images.normalization import Normalizer, fit_normalizer
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
        self._normalizers: dict[NormalizationConfig, Normalizer] = {}

    def view(self, model: Detector, name: str, channels: tuple[int, ...]) -> View:
        """These channels, or those that the model takes without a choice."""
        source, part = self._source, self._request.part
        options = model.resolve_options(self._request.options, source.pixel_size)
        how: dict[str, Any] = {"name": name, "executor": self._executor}
        if not channels:
            image = input_channels(model, source, part)
            picked = tuple(range(source.shape[2])) if image is source else getattr(image, "channels", None)
            shared = part.normalizer is True and picked is not None
            normalizer = self._normalizer(model.spec.normalization, tuple(picked or ())) if shared else part.normalizer
            return model.view(self._pixels(image), options, normalizer=normalizer, **how)
        chosen, normalizer = SourceView(source, channels=channels), self._normalizer(model.spec.normalization, channels)
        return model.view(self._pixels(chosen), options, normalizer=normalizer, channels=channels, **how)

    def _pixels(self, view: Source) -> Any:
        """An array, if the image is in memory."""
        return np.asarray(view) if isinstance(self._source, HeldSource) else view

    def _normalizer(self, config: NormalizationConfig, channels: tuple[int, ...]) -> Normalizer:
        """That of these channels, from the one of all."""
        if config not in self._normalizers:
            run = spread_over(self._executor, self._source)
            self._normalizers[config] = fit_normalizer(self._source, config, warn=False, run=run)
        whole = self._normalizers[config]
        low, high, fill = ([values[channel] for channel in channels] for values in (whole.low, whole.high, whole.fill))
        return Normalizer(tuple(low), tuple(high), tuple(fill))

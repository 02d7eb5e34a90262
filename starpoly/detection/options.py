"""Options of a detection, in one frozen dataclass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..config import LARGEST_GROWTH, TTA, Config, Thresholds
from ..errors import ConfigError
from ..parallel import MOST_THREADS

#: Options that journals and provenance files record under another name.
_RECORDED = {"expand_into_foreground": "spread"}


@dataclass(frozen=True)
class DetectionOptions(Config):
    """Settings of a detection. Defaults come from the model.

    Parameters
    ----------
    prob_threshold : float, optional
        Least probability of an object, from 0 to 1. Default: the model's.
    nms_threshold : float, optional
        Overlap above which the weaker of two objects is suppressed, from 0 to 1. Default: the model's.
    scale : float, optional
        Rescale the image by this factor before detection. Results stay in pixels of the original image. Default:
        estimated from the middle of the image, to match the object sizes of the training data.
    diameter : float, optional
        Object diameter in pixels of the image. Replaces the estimate.
    diameter_um : float, optional
        Object diameter in micrometres. Needs a known pixel size.
    min_confidence : float
        Drop objects with a lower calibrated confidence, from 0 to 1.
    expand_into_foreground : int, optional
        Expand labels from the polygons into the predicted foreground by at most this many pixels, for non-star-convex
        objects (``starpoly.labels.mask_growth``). Needs a model with a foreground head. 0: labels are the polygons' pixels.
        Default: as tuned for the model, in pixels of the rescaled image.
    tile_size : int, optional
        Side of a network window in pixels. Results depend on it by rounding at most.
    memory : int, optional
        Bytes for the whole process. Bounds the size of network windows.
    tta : {"none", "flips", "all"}
        Test-time augmentation: average the network's output over mirror images (4 passes), or over mirror images and
        quarter turns (8 passes).
    readers : int
        Threads for reading and decoding the image. Does not affect results.
    """

    prob_threshold: float | None = None
    nms_threshold: float | None = None
    scale: float | None = None
    diameter: float | None = None
    diameter_um: float | None = None
    min_confidence: float = 0.0
    expand_into_foreground: int | None = None
    tile_size: int | None = None
    memory: int | None = None
    tta: str = "none"
    readers: int = 1

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.scale, self.diameter, self.diameter_um)) > 1:
            raise ConfigError(
                "expected a scale or a diameter, got several of scale, diameter and diameter_um; choose one"
            )
        if self.tta not in TTA:
            raise ConfigError(f"tta: expected one of {', '.join(TTA)}, got {self.tta!r}")
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"min_confidence: expected a number from 0 to 1, got {self.min_confidence:g}")
        if not 0 <= (self.expand_into_foreground or 0) <= LARGEST_GROWTH:
            raise ConfigError(
                f"expand_into_foreground: expected 0 to {LARGEST_GROWTH} pixels, got {self.expand_into_foreground}"
            )
        for name, value in (("tile_size", self.tile_size), ("memory", self.memory), ("readers", self.readers)):
            if value is not None and value < 1:
                raise ConfigError(f"{name}: expected 1 or more, got {value}")
        if self.readers > MOST_THREADS:
            raise ConfigError(f"readers: expected 1 to {MOST_THREADS}, got {self.readers}")

    @classmethod
    def of(cls, options: DetectionOptions | Mapping[str, Any] | None, settings: Mapping[str, Any]) -> DetectionOptions:
        """Options, or a dictionary of settings, with some changed by name.

        Raises
        ------
        ConfigError
            If a name is unknown (the nearest known one is named) or a value is out of range.
        """
        if options is not None and not isinstance(options, cls | Mapping):
            raise ConfigError(f"options: expected DetectionOptions or a dictionary of settings, got {options!r}")
        base = {} if options is None else options if isinstance(options, Mapping) else options.to_dict()
        plain = {name: value.item() if hasattr(value, "item") else value for name, value in settings.items()}
        return cls.from_dict({**base, **plain})

    def thresholds(self, own: Thresholds) -> Thresholds:
        """Effective thresholds, given the model's ``own``."""
        return Thresholds(
            own.prob if self.prob_threshold is None else self.prob_threshold,
            own.nms if self.nms_threshold is None else self.nms_threshold,
        )

    def in_pixels(self, pixel_size: tuple[float, float] | None) -> DetectionOptions:
        """Convert the diameter to pixels.

        Parameters
        ----------
        pixel_size : (float, float) or None
            Micrometres per pixel (y, x); None if unknown.

        Raises
        ------
        ConfigError
            If the diameter is in micrometres and the pixel size is not known.
        """
        if self.diameter_um is None:
            return self
        if pixel_size is None:
            raise ConfigError(
                f"diameter: expected an image with a pixel size, to convert {self.diameter_um:g} um to pixels, got one "
                "without; give --pixel-size, or the diameter in pixels"
            )
        y, x = pixel_size
        diameter = self.diameter_um / (y * math.sqrt(x / y))  # no product: it may overflow
        return replace(self, diameter=diameter, diameter_um=None)

    def identity(self) -> dict[str, Any]:
        """Resolved options that affect results, as JSON types."""
        left_out = {"readers", "memory", "diameter_um"} | ({"tta"} if self.tta == "none" else set())
        return {_RECORDED.get(name, name): value for name, value in self.to_dict().items() if name not in left_out}

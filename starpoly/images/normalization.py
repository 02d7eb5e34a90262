"""Intensity normalisation: percentiles of the whole image, per channel, become 0 and 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import NormalizationConfig
from ..errors import ImageError
from .axes import with_channels
from .exact_floats import exact_float
from .levels import Levels, measure_levels

LIMIT = 5.0
"""What is normalised by percentiles is clipped to this magnitude: of 764 images two had more. Hot pixels and debris have
hundreds, which would silence the network around them."""
NO_LIMIT = 1e6
"""Otherwise: float32 must not overflow in the network."""


@dataclass(frozen=True)
class Normalizer:
    """Linear map of intensities, ``(x - low) / (high - low)`` per channel, clipped far outside 0 to 1.

    Calling it on any crop ``(Y, X)`` or ``(Y, X, C)`` gives float32 ``(Y, X, C)``; a crop of the result is the result
    of the crop, bit for bit.

    Parameters
    ----------
    low, high : tuple of float, length C
        Intensities that become 0 and 1; ``high > low``.
    fill : tuple of float, length C, optional
        Intensity that stands in for NaN, infinity and margins; ``low`` by default.
    limit : float
        Results are clipped to this magnitude.
    floor : tuple of float or None, length C, optional
        Intensities up to this are a margin without data; None and by default: no intensity is.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    fill: tuple[float, ...] = ()
    limit: float = NO_LIMIT
    floor: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        for name in ("low", "high", "fill"):
            object.__setattr__(self, name, tuple(float(value) for value in np.ravel(getattr(self, name))))
        if not self.fill:
            object.__setattr__(self, "fill", self.low)
        if not self.limit > 0:
            raise ImageError(f"normalizer: expected a limit above 0, got {self.limit}")
        object.__setattr__(self, "floor", tuple(self.floor) or (None,) * len(self.low))
        if not len(self.low) == len(self.high) == len(self.fill) == len(self.floor) >= 1:
            raise ImageError("normalizer: expected as many high as low values, one per channel")
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise ImageError(f"normalizer: expected low < high, got {self.low} and {self.high}")

    def __repr__(self) -> str:
        ranges = ", ".join(f"{low:.6g} to {high:.6g}" for low, high in zip(self.low, self.high, strict=True))
        return f"Normalizer({ranges})"

    @property
    def n_channels(self) -> int:
        """Number of channels of the images it is for."""
        return len(self.low)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``Normalizer(**d)`` reads them back."""
        plain = {"low": list(self.low), "high": list(self.high), "fill": list(self.fill), "limit": self.limit}
        return {**plain, "floor": list(self.floor)} if any(floor is not None for floor in self.floor) else plain

    def __call__(self, crop: NDArray) -> NDArray[np.float32]:
        """Normalise a crop of the image.

        Parameters
        ----------
        crop : (Y, X) or (Y, X, C) array
            Intensities of any real dtype.

        Returns
        -------
        (Y, X, C) float32

        Raises
        ------
        ImageError
            If the number of channels is another.
        """
        crop = with_channels(np.asarray(crop))
        if crop.shape[2] != self.n_channels:
            raise ImageError(f"normalizer: expected {self.n_channels} channels, got {crop.shape[2]}")
        dtype = exact_float(crop.dtype)
        low, high, fill = (np.asarray(values, dtype) for values in (self.low, self.high, self.fill))
        if crop.dtype.kind == "f":
            crop = np.where(np.isfinite(crop), crop, fill)
        for channel, floor in enumerate(self.floor):
            if floor is not None:
                within = crop[..., channel] > floor
                crop = crop if crop.dtype == dtype else crop.astype(dtype)
                crop[..., channel] = np.where(within, crop[..., channel], fill[channel])
        normalized = np.subtract(crop, low, dtype=dtype)
        normalized /= high - low
        np.clip(normalized, -self.limit, self.limit, out=normalized)
        return normalized.astype(np.float32, copy=False)


def fit_normalizer(
    image: Any, config: NormalizationConfig | None = None, *, warn: bool = True, run: Callable[..., Any] = map
) -> Normalizer:
    """Percentiles of a whole image, per channel, as a :class:`Normalizer`.

    Parameters
    ----------
    image, config, run
        As for ``starpoly.images.levels.measure_levels``.
    warn : bool
        Whether to warn of such pixels and channels as below.

    Returns
    -------
    Normalizer
        Linearly interpolated percentiles of all values, as ``numpy.percentile`` gives them.

    Raises
    ------
    ImageError
        If the image is empty, has another number of axes or complex or non-numeric values.

    Warns
    -----
    StarpolyWarning
        For NaN or infinity (they count as the smallest finite value) and for channels without contrast.

    Notes
    -----
    Margins without data (``starpoly.images.margins``) do not count, and become what the median of the rest becomes.
    """
    levels = measure_levels(image, config, run=run)
    if warn:
        levels.warn()
    return normalizer_at(levels)


def normalizer_at(levels: Levels) -> Normalizer:
    """The map from these levels to 0 and 1."""
    values = ((channel.low, channel.high, channel.fill, channel.floor) for channel in levels.channels)
    low, high, fill, floor = zip(*values, strict=True)
    return Normalizer(low, high, fill, LIMIT, floor)


def as_normalizer(
    given: Any, image: Any, config: NormalizationConfig | None = None, *, run: Callable[..., Any] = map
) -> tuple[Any, Normalizer]:
    """What a user gives as ``normalizer``, as a :class:`Normalizer` for crops, and the image that it is for.

    Parameters
    ----------
    given : Normalizer, bool, None or csbdeep.data.Normalizer
        True: percentiles of this image. False, None or csbdeep's ``NoNormalizer``: the intensities as they are. csbdeep's
        ``PercentileNormalizer``: its percentiles, of the whole image, never of a tile. Any other object with
        ``before(x, axes)`` is called once, on the whole image, which must be an array in memory.
    image : (Y, X) or (Y, X, C) array-like
        As for :func:`fit_normalizer`.
    config : NormalizationConfig, optional
        Percentiles for ``given=True``.
    run : callable
        As for :func:`fit_normalizer`.

    Returns
    -------
    image : array-like
        The same object, or the image normalised by ``before``.
    normalizer : Normalizer
        To call on crops of that image.

    Raises
    ------
    ImageError
        If ``given`` is none of these, needs an image in memory and has none, or changes the shape of the image.
    """
    if isinstance(given, Normalizer):
        return image, given
    if given is None or isinstance(given, bool | np.bool_):
        return image, fit_normalizer(image, config, run=run) if given else _identity(image)
    if not callable(getattr(given, "before", None)):
        raise ImageError(
            f"normalizer: expected a Normalizer of starpoly or csbdeep, True or False, got {type(given).__name__}; "
            "fit_normalizer(image) makes one"
        )
    from csbdeep.data import NoNormalizer, PercentileNormalizer

    before = type(given).before
    if before is NoNormalizer.before:
        return image, _identity(image)
    if before is PercentileNormalizer.before and not given.kwargs.get("clip"):
        return image, fit_normalizer(image, NormalizationConfig(float(given.pmin), float(given.pmax)), run=run)
    normalized = _normalized_by(given, image)
    return normalized, _identity(normalized)


def _identity(image: Any) -> Normalizer:
    n_channels = image.shape[2] if len(image.shape) == 3 else 1
    return Normalizer((0.0,) * n_channels, (1.0,) * n_channels)


def _normalized_by(given: Any, image: Any) -> NDArray[np.float32]:
    """The whole image after ``given.before``."""
    name = type(given).__name__
    if not isinstance(image, np.ndarray):
        raise ImageError(
            f"normalizer: expected an image in memory for {name}, which sees it whole, got {type(image).__name__}; "
            "give percentiles (PercentileNormalizer), or read the image into an array"
        )
    normalized = np.asarray(given.before(image, "YXC"[: image.ndim]), np.float32)
    if normalized.shape != image.shape:
        raise ImageError(
            f"normalizer: expected {name} to keep the image's shape {image.shape}, got {normalized.shape}; "
            "resize the image before, or give its scale"
        )
    return normalized

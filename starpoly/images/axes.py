"""Axes of images: YX and YXC here."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..errors import ImageError


def check_image(image: Any) -> None:
    """ImageError unless it is a non-empty image of real numbers with axes YX or YXC."""
    if len(image.shape) not in (2, 3) or 0 in image.shape:
        raise ImageError(f"expected a non-empty image with axes YX or YXC, got shape {tuple(image.shape)}")
    if image.dtype.kind not in "buif":
        raise ImageError(f"expected real numbers, got {image.dtype}; convert it first")


def with_channels(image: NDArray) -> NDArray:
    """An image (Y, X, C) of one with axes YX or YXC."""
    if image.ndim not in (2, 3):
        raise ImageError(f"expected an image with axes YX or YXC, got shape {image.shape}")
    return image if image.ndim == 3 else image[..., None]

"""Axes of images: YX and YXC throughout starpoly, any order of letters at its door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError

_LETTERS = "STCZYX"
"""Axes that csbdeep knows: sample, time, channel, and the three of space."""


def to_yxc(image: Any, axes: str) -> tuple[Any, Callable[[NDArray], NDArray]]:
    """Bring an image to axes YX or YXC.

    Parameters
    ----------
    image : array-like
        An array as a view, where that is possible. Anything else with ``shape`` and slicing, such as a zarr array, is never
        read here, so its axes must be YX or YXC already.
    axes : str
        A letter per axis: Y, X and, if there are channels, C in any order. S (sample), T (time) and Z only of length 1.

    Returns
    -------
    image : (Y, X) or (Y, X, C) array-like
    restore : callable
        Brings a result with axes YX, such as a label image, to the order of Y and X in ``axes``.

    Raises
    ------
    ImageError
        If ``axes`` has unknown or repeated letters, lacks Y or X, does not fit the image, or names a stack.

    Examples
    --------
    >>> image, restore = to_yxc(np.zeros((3, 40, 50)), "CYX")
    >>> image.shape
    (40, 50, 3)
    """
    if not hasattr(image, "shape"):
        image = np.asarray(image)
    axes = check_axes(axes, tuple(image.shape))
    stacked = [
        f"{letter} of length {length}"
        for letter, length in zip(axes, image.shape, strict=True)
        if letter not in "YXC" and length != 1
    ]
    if stacked:
        colours = axes[-1] == "S" and image.shape[-1] in (3, 4) and "C" not in axes and len(stacked) == 1
        remedy = f"if these are colours, say {axes[:-1]}C" if colours else "predict the planes one by one"
        raise ImageError(
            f"axes: expected a single 2D image, got {' and '.join(stacked)} in shape {tuple(image.shape)}; {remedy}"
        )
    wanted = "YXC" if "C" in axes else "YX"
    if axes != wanted:
        if not isinstance(image, np.ndarray):
            raise ImageError(
                f"axes: expected YX or YXC of an image that is not in memory, got {axes}; convert it to a numpy array first"
            )
        from csbdeep.utils import move_image_axes

        image = move_image_axes(image, axes, wanted, adjust_singletons=True)
    return image, _transposed if axes.index("X") < axes.index("Y") else _unchanged


def check_axes(axes: str, shape: tuple[int, ...]) -> str:
    """Axes in capital letters.

    Raises
    ------
    ImageError
        Unless they are letters of an image or stack of that shape.
    """
    letters = str(axes).upper()
    if set(letters) - set(_LETTERS) or len(set(letters)) < len(letters) or not {"Y", "X"} <= set(letters):
        raise ImageError(
            f"axes: expected Y, X and possibly C, Z, T, each once (S for an axis of length 1), got {axes!r}; "
            "name the axes of the array in their order, such as 'YX', 'CYX' or 'TZCYX'"
        )
    if len(letters) != len(shape):
        raise ImageError(
            f"axes: expected a letter for each of the image's {len(shape)} axes, got {axes!r} for shape {shape}; "
            "name them all, such as 'YX', 'CYX' or 'TZCYX'"
        )
    return letters


def _unchanged(result: NDArray) -> NDArray:
    return result


def _transposed(result: NDArray) -> NDArray:
    return result.T


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

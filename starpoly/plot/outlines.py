"""Plots of an image and of object outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..images.display import to_display
from ..io.writers.overlay import draw_overlay
from .axes import show_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def outlines_on_image(image: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Draw each object's outline in its own colour over the grey or colour image.

    Parameters
    ----------
    image : (height, width) or (height, width, channels)
        Any number type; stretched between percentiles. The first three channels are red, green and blue.
    labels : (height, width) integers
        Label image.

    Returns
    -------
    (height, width, 3) uint8
        As ``draw_overlay``, at full size.

    Raises
    ------
    ImageError
        If the shapes do not match.
    """
    return draw_overlay(image, labels, max_side=None)


def plot_image(axes: Axes, image: NDArray[Any], title: str = "") -> None:
    """Show an image, stretched between percentiles, pixel centres at integers.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    image : (height, width) or (height, width, channels)
        Any number type.
    title : str
        Above the picture.
    """
    show_picture(axes, to_display(image), title)


def plot_outlines(axes: Axes, image: NDArray[Any], labels: NDArray[Any], title: str = "") -> None:
    """Show an image with each object outlined in its own colour.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    image, labels
        As for :func:`outlines_on_image`.
    title : str
    """
    show_picture(axes, outlines_on_image(image, labels), title)

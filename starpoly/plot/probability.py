"""Plot of the probability map over the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .outlines import plot_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage


def plot_probability(
    axes: Axes, image: NDArray[Any], probability: NDArray[Any], grid: tuple[int, int] = (1, 1), title: str = ""
) -> AxesImage:
    """Show a model's probability map over its image. Opacity grows with probability.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    image : (height, width) or (height, width, channels)
        Any number type.
    probability : (h, w)
        In [0, 1], on the model's grid, from :meth:`starpoly.StarPoly2D.predict`.
    grid : (int, int)
        Grid spacing of the model in pixels.
    title : str
        Above the picture.

    Returns
    -------
    matplotlib.image.AxesImage
        For a colour bar.
    """
    plot_image(axes, image, title)
    (gy, gx), (height, width) = grid, probability.shape
    # point (i, j) of the map lies at pixel (i gy, j gx) and covers the nearest pixels
    extent = (-gx / 2, (width - 0.5) * gx, (height - 0.5) * gy, -gy / 2)
    shown = np.clip(probability, 0, 1)
    drawn = axes.imshow(shown, cmap="magma", vmin=0, vmax=1, alpha=0.75 * shown, extent=extent, interpolation="nearest")
    axes.set_xlim(-0.5, image.shape[1] - 0.5)
    axes.set_ylim(image.shape[0] - 0.5, -0.5)
    return drawn

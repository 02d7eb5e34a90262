"""Plots of star-convex polygons: their rays, and candidates before and after suppression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..io.writers.overlay import label_colors
from ..polygons import StarPolygons
from .axes import explain_colors
from .outlines import plot_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SUPPRESSED, _KEPT = "#56B4E9", "#E69F00"


def plot_rays(axes: Axes, image: NDArray[Any], polygons: StarPolygons, title: str = "") -> None:
    """Show polygons over their image as centres and ray distances.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    image : (height, width) or (height, width, channels)
        Any number type.
    polygons : StarPolygons
        Polygon ``i`` gets the colour of label ``i + 1``.
    title : str
        Above the picture.
    """
    from matplotlib.collections import LineCollection

    plot_image(axes, image, title)
    rings = _rings(polygons)
    colors = label_colors(np.arange(1, len(polygons) + 1)) / 255
    centres = np.broadcast_to(polygons.points[:, None, ::-1], rings.shape)
    rays = np.stack([centres, rings], axis=2).reshape(-1, 2, 2)
    axes.add_collection(
        LineCollection(list(rays), colors=np.repeat(colors, polygons.n_rays, axis=0), linewidths=0.4, alpha=0.7),
        autolim=False,
    )
    _add_rings(axes, rings, colors, 1.0)
    axes.scatter(polygons.points[:, 1], polygons.points[:, 0], s=4, c=colors, zorder=3)


def plot_candidates(
    axes: Axes, image: NDArray[Any], candidates: StarPolygons, kept: StarPolygons, *, most: int = 2000, title: str = ""
) -> None:
    """Show all candidates, thin and blue, and those kept by suppression, orange.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    image : (height, width) or (height, width, channels)
        Any number type.
    candidates : StarPolygons
        From :meth:`starpoly.StarPoly2D.find_candidates`.
    kept : StarPolygons
        From :meth:`starpoly.StarPoly2D.predict_instances` (``details["polygons"]``).
    most : int
        Limit on drawn candidates. Above it, every k-th in score order is drawn.
    title : str
        Above the picture. Default: none; the legend shows the numbers.
    """
    plot_image(axes, image, title)
    order = candidates.score_order()
    shown = candidates.take(order[:: max(1, -(-len(order) // most))])
    _add_rings(axes, _rings(shown), _SUPPRESSED, 0.3)
    _add_rings(axes, _rings(kept), _KEPT, 1.2)
    explain_colors(axes, {f"{len(candidates)} candidates": _SUPPRESSED, f"{len(kept)} kept": _KEPT})


def _rings(polygons: StarPolygons) -> NDArray[np.float64]:
    """Vertices (x, y) for matplotlib: (n, n_rays, 2)."""
    return polygons.vertices().transpose(0, 2, 1)[..., ::-1]


def _add_rings(axes: Axes, rings: NDArray[np.float64], color: Any, width: float) -> None:
    from matplotlib.collections import PolyCollection

    axes.add_collection(
        PolyCollection(list(rings), facecolors="none", edgecolors=color, linewidths=width), autolim=False
    )

"""Plot of matched, false and missed objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..evaluation.assignment import assign
from ..evaluation.label_overlaps import overlaps
from ..images.display import to_display
from ..io.writers.overlay import inner_outlines
from .axes import explain_colors, show_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colour-blind safe (Okabe & Ito 2008).
MATCH_COLORS = {"matched": "#009E73", "false": "#D55E00", "missed": "#56B4E9"}


def draw_matches(
    image: NDArray[Any], y_true: NDArray[Any], y_pred: NDArray[Any], thresh: float = 0.5
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.int64]]]:
    """Outline matched and false predicted objects and missed true objects.

    Parameters
    ----------
    image, y_true, y_pred, thresh
        As for :func:`plot_matches`.

    Returns
    -------
    picture : (height, width, 3) uint8
    ids : dict of str to (n,) int64
        As for :func:`plot_matches`.

    Raises
    ------
    ImageError
        If image and labels differ in size.
    """
    from matplotlib.colors import to_rgb

    if not image.shape[:2] == y_true.shape == y_pred.shape:
        raise ImageError(
            f"matches: expected image and labels of one size, got {image.shape[:2]}, {y_true.shape} and {y_pred.shape}"
        )
    y_true = np.maximum(y_true, 0)
    table = overlaps(y_true, y_pred)
    pairs = assign(table.true_index, table.pred_index, table.scores("iou").astype(np.float32), thresh)
    found_true, found_pred = table.true_index[pairs], table.pred_index[pairs]
    ids = {
        "matched": table.pred_labels[np.sort(found_pred)].astype(np.int64),
        "false": np.delete(table.pred_labels, found_pred).astype(np.int64),
        "missed": np.delete(table.true_labels, found_true).astype(np.int64),
    }
    picture = to_display(image)
    # false objects often overlap a missed one: draw them last
    for kind, labels in (("missed", y_true), ("matched", y_pred), ("false", y_pred)):
        color = np.rint(255 * np.array(to_rgb(MATCH_COLORS[kind])))
        picture[inner_outlines(labels) & np.isin(labels, ids[kind])] = color
    return picture, ids


def plot_matches(
    axes: Axes, image: NDArray[Any], y_true: NDArray[Any], y_pred: NDArray[Any], thresh: float = 0.5, title: str = ""
) -> dict[str, NDArray[np.int64]]:
    """Show matched and false predicted objects and missed true objects.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    image : (height, width) or (height, width, channels)
        Any number type.
    y_true, y_pred : (height, width) integers
        Label images. Pixels with a negative true label are background.
    thresh : float
        Least IoU of a match; see :func:`starpoly.evaluation.matching`.
    title : str
        Above the picture. Default: none; the legend shows the numbers.

    Returns
    -------
    dict of str to (n,) int64
        Ids of the ``matched`` and ``false`` predicted objects and of the ``missed`` true ones.

    Raises
    ------
    ImageError
        If image and labels differ in size.
    """
    picture, ids = draw_matches(image, y_true, y_pred, thresh)
    show_picture(axes, picture, title)
    explain_colors(axes, {f"{len(ids[kind])} {kind}": color for kind, color in MATCH_COLORS.items()})
    return ids

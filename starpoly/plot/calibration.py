"""Plots of precision and recall, and of the reliability of scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.scored import Reliability, ScoredMatches, precision_recall, reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_precision_recall(
    axes: Axes, matches: ScoredMatches | Mapping[str, ScoredMatches], iou: float = 0.5, threshold: float | None = None
) -> None:
    """Plot precision over recall for all probability thresholds.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    matches : ScoredMatches or mapping of str to ScoredMatches
        From :func:`starpoly.evaluation.match_scored`, detected with a low threshold. Several are keyed by model name.
    iou : float
        Least IoU of a match.
    threshold : float, optional
        Probability threshold to mark on each curve.

    Raises
    ------
    DataError
        If there is no true object, or the IoU is below 0.5.
    """
    named = matches if isinstance(matches, Mapping) else {"": matches}
    for name, one in named.items():
        curve = precision_recall(one, iou)
        (line,) = axes.plot(curve.recall, curve.precision, label=name or None)
        at = np.flatnonzero(curve.scores >= (1 if threshold is None else threshold))
        if threshold is not None and len(at):
            axes.plot(curve.recall[at[-1]], curve.precision[at[-1]], "o", color=line.get_color())
    axes.set_xlabel("recall")
    axes.set_ylabel(f"precision (IoU {iou:g})")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    if any(named):
        axes.legend()


def plot_reliability(axes: Axes, matches: ScoredMatches, iou: float = 0.5, n_bins: int = 10) -> Reliability:
    """Plot the share of correct objects by score. On the diagonal, the score equals that share.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    matches, iou, n_bins
        As for :func:`starpoly.evaluation.reliability`.

    Returns
    -------
    Reliability
        The plotted numbers.
    """
    table = reliability(matches, iou, n_bins)
    filled = table.counts > 0
    left, width = table.edges[:-1], np.diff(table.edges)
    share = table.counts / max(1, int(table.counts.sum()))
    axes.bar(left, share, width, align="edge", color="0.85", label="share of objects")
    axes.plot([0, 1], [0, 1], ":", color="0.4")
    axes.plot(table.scores[filled], table.right[filled], "o-", label=f"right (mean error {table.error:.2f})")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("score")
    axes.set_ylabel(f"share that is right (IoU {iou:g})")
    axes.legend(fontsize="small", loc="upper left")
    return table

"""Histograms of object sizes and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .axes import label_logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_sizes(
    axes: Axes, diameters: ArrayLike, known: tuple[float, float, float] | None = None, unit: str = "px"
) -> None:
    """Plot a histogram of object diameters, with equal bins on a logarithmic scale.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    diameters : (n,) numbers
        Column ``diameter`` of :func:`starpoly.labels.measure`. Values <= 0 are dropped.
    known : (float, float, float), optional
        5th, 50th and 95th percentile of the training objects (``spec.object_diameter``), drawn as a band and a line.
        Zeros mean unknown.
    unit : str
        Unit of the axis.
    """
    values = np.asarray(diameters, dtype=np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    if len(values):
        low, high = values.min(), values.max()
        axes.hist(values, bins=np.geomspace(low / 1.05, high * 1.05, 31).tolist(), color="C0")
        axes.axvline(float(np.median(values)), color="C0", linestyle="--", label=f"median {np.median(values):.3g}")
    if known is not None and all(known):
        axes.axvspan(known[0], known[2], color="C1", alpha=0.2, zorder=0, label="training data, 5 to 95 %")
        axes.axvline(known[1], color="C1", zorder=0)
    axes.set_xscale("log")
    label_logarithmic(axes.xaxis)
    axes.set_xlabel(f"diameter ({unit})")
    axes.set_ylabel("objects")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")


def plot_score_histogram(axes: Axes, scores: ArrayLike, threshold: float | None = None) -> None:
    """Plot a histogram of object scores.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    scores : (n,) numbers
        In [0, 1]; NaN is dropped.
    threshold : float, optional
        Probability threshold, drawn as a line.
    """
    values = np.asarray(scores, dtype=np.float64)
    axes.hist(values[np.isfinite(values)], bins=np.linspace(0, 1, 41).tolist(), color="C0")
    if threshold is not None:
        axes.axvline(threshold, color="C3", linestyle="--", label=f"threshold {threshold:.3g}")
        axes.legend(fontsize="small")
    axes.set_xlim(0, 1)
    axes.set_xlabel("score")
    axes.set_ylabel("objects")

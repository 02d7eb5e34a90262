"""Plots of scores over the IoU threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from ..evaluation.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_scores(axes: Axes, thresholds: Sequence[float], scores: Mapping[str, Sequence[float | None]]) -> None:
    """Plot scores over the IoU threshold.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    thresholds : sequence of float
        IoU thresholds.
    scores : mapping of str to sequence of float
        Curves by name, one value per threshold; None leaves a gap. For several models: AP by model name.

    Raises
    ------
    DataError
        If a curve does not have one value per threshold.
    """
    for name, values in scores.items():
        if len(values) != len(thresholds):
            raise DataError(f"{name}: expected {len(thresholds)} values, one per threshold, got {len(values)}")
        axes.plot(thresholds, np.array(values, dtype=np.float64), marker="o", markersize=3, label=name)
    axes.set_xlabel("IoU threshold")
    axes.set_ylabel("score")
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    if scores:
        axes.legend()


def plot_report(axes: Axes, report: Report) -> None:
    """Plot the pooled scores of a report over the IoU threshold.

    Parameters
    ----------
    axes : matplotlib axes
        Where to draw.
    report : Report
        See :func:`starpoly.evaluation.report.evaluate`.
    """
    pooled = report.scope("pooled")
    curves = {"precision": "precision", "recall": "recall", "F1": "f1", "AP": "ap", "PQ": "pq"}
    scores = {label: [getattr(row, name) for row in pooled] for label, name in curves.items()}
    plot_scores(axes, [row.iou for row in pooled], scores)

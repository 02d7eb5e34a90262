"""Score table of a set of images: rows per image and threshold, and rows for the whole set."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..io.files.atomic import new_file
from ..io.writers.cells import text_cell
from .label_overlaps import overlaps
from .metrics import Matching, pool, score
from .neurips import neurips_score

OK = "ok"
MISSING = "missing prediction"
RATIOS = ("precision", "recall", "f1", "ap", "pq", "mean_matched_iou")


@dataclass(frozen=True)
class Sample:
    """One image to score.

    Parameters
    ----------
    name : str
        Name of its rows.
    y_true, y_pred : (height, width) integer arrays or None
        Label images; None for a missing or unreadable file.
    problem : str
        Reason for an unreadable file.
    """

    name: str
    y_true: NDArray[Any] | None
    y_pred: NDArray[Any] | None
    problem: str = ""


@dataclass(frozen=True)
class Row:
    """Scores at one IoU threshold.

    ``scope`` is "image", "pooled" (all objects of all images), "mean" or "median" (of each score over images, without
    counts). ``ap`` is TP / (TP + FP + FN), ``pq`` the panoptic quality, ``status`` "ok", "missing prediction" or
    "error: ...".
    """

    scope: str
    image: str
    iou: float
    n_true: int | None = None
    n_pred: int | None = None
    tp: int | None = None
    fp: int | None = None
    fn: int | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    ap: float | None = None
    pq: float | None = None
    mean_matched_iou: float | None = None
    status: str = OK


@dataclass(frozen=True)
class Report:
    """Scores of a set of images.

    Parameters
    ----------
    protocol : str
        "stardist" or "neurips".
    rows : tuple of Row
        Image by image, thresholds in the given order, then pooled, mean and median.
    """

    protocol: str
    rows: tuple[Row, ...]

    def scope(self, scope: str) -> tuple[Row, ...]:
        """The rows with scope "image", "pooled", "mean" or "median"."""
        return tuple(row for row in self.rows if row.scope == scope)

    def problems(self) -> dict[str, str]:
        """Status of each image with an error or without prediction, by name."""
        return {row.image: row.status for row in self.scope("image") if row.status != OK}

    @property
    def failed(self) -> bool:
        """Whether any image has an error. A missing prediction is not an error."""
        return any(status != MISSING for status in self.problems().values())

    def to_csv(self) -> str:
        """All rows as comma-separated values with a header. Missing values are empty."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([column.name for column in fields(Row)])
        rows = (asdict(row).values() for row in self.rows)
        table.writerows([text_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
        return text.getvalue()

    def to_json(self) -> str:
        """All rows as JSON: ``{"protocol": ..., "rows": [{...}, ...]}``."""
        return json.dumps({"protocol": self.protocol, "rows": [asdict(row) for row in self.rows]}, indent=1) + "\n"

    def save(self, path: str | Path) -> None:
        """Write CSV or JSON atomically, by file extension.

        Raises
        ------
        DataError
            If the extension is unknown.
        OutputError
            If the file cannot be written.
        """
        path = check_output(path)
        text = self.to_csv() if path.suffix.lower() == ".csv" else self.to_json()
        with new_file(path, "choose another place") as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")


def check_output(path: str | Path) -> Path:
    """Check that a table can be written to a path; see :meth:`Report.save`.

    Raises
    ------
    DataError
        If the extension is neither .csv nor .json, or the folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".json"):
        raise DataError(f"{path}: expected a name that ends in .csv or .json")
    if not path.parent.is_dir():
        raise DataError(f"{path}: expected an existing folder, got {path.parent}; make it first")
    return path


def evaluate(samples: Iterable[Sample], thresholds: Sequence[float], protocol: str = "stardist") -> Report:
    """Score a set of images.

    A missing, unreadable or wrongly shaped prediction counts as empty: all objects of the image are missed, so failures
    never improve the score. An image with unusable true labels has an error row and does not enter the other scores.

    Parameters
    ----------
    samples : iterable of Sample
        Consumed one at a time.
    thresholds : sequence of float
        IoU thresholds from 0 to 1, inclusive.
    protocol : {"stardist", "neurips"}
        :func:`~starpoly.evaluation.matching`, or the challenge's
        :func:`~starpoly.evaluation.neurips_score`.

    Raises
    ------
    DataError
        If the protocol is unknown, or no image has usable true labels.
    """
    if protocol not in _PROTOCOLS:
        raise DataError(f"protocol: expected one of {', '.join(_PROTOCOLS)}, got {protocol!r}")
    thresholds = tuple(thresholds)
    rows: list[Row] = []
    scored: list[tuple[Matching, ...]] = []
    for sample in samples:
        scores, status = _score(sample, thresholds, _PROTOCOLS[protocol])
        if scores is None:
            rows += [Row("image", sample.name, thresh, status=status) for thresh in thresholds]
        else:
            rows += [_row("image", sample.name, stats, status) for stats in scores]
            scored.append(scores)
    if not scored:
        reasons = "; ".join(dict.fromkeys(row.status.removeprefix("error: ") for row in rows)) or "no images"
        raise DataError(f"expected at least one image with usable true labels, got {reasons}")
    return Report(protocol, (*rows, *_summaries(scored)))


def _score_stardist(
    y_true: NDArray[Any], y_pred: NDArray[Any] | None, thresholds: tuple[float, ...]
) -> tuple[Matching, ...]:
    nothing = np.broadcast_to(np.zeros((), np.uint8), np.shape(y_true))
    return score(
        overlaps(y_true, nothing if y_pred is None else y_pred), thresholds
    )  # doubts were told with the file's name


_Protocol = Callable[[NDArray[Any], NDArray[Any] | None, tuple[float, ...]], tuple[Matching, ...]]
_PROTOCOLS: dict[str, _Protocol] = {"stardist": _score_stardist, "neurips": neurips_score}


def _score(
    sample: Sample, thresholds: tuple[float, ...], protocol: _Protocol
) -> tuple[tuple[Matching, ...] | None, str]:
    """Scores and status of one image; scores are None if the true labels are unusable."""
    if sample.y_true is None:
        return None, f"error: {sample.problem or 'no true labels'}"
    status = OK if sample.y_pred is not None else MISSING
    status = f"error: {sample.problem}" if sample.problem else status
    try:
        return protocol(sample.y_true, sample.y_pred, thresholds), status
    except DataError as error:
        status = f"error: {error}"
    try:
        return protocol(sample.y_true, None, thresholds), status
    except DataError:
        return None, status


def _row(scope: str, image: str, stats: Matching, status: str = OK) -> Row:
    return Row(
        scope,
        image,
        stats.thresh,
        n_true=stats.n_true,
        n_pred=stats.n_pred,
        tp=stats.tp,
        fp=stats.fp,
        fn=stats.fn,
        precision=stats.precision,
        recall=stats.recall,
        f1=stats.f1,
        ap=stats.accuracy,
        pq=stats.panoptic_quality,
        mean_matched_iou=stats.mean_matched_score,
        status=status,
    )


def _summaries(scored: Sequence[tuple[Matching, ...]]) -> list[Row]:
    """Pooled, mean and median rows."""
    by_threshold = list(zip(*scored, strict=True))
    rows = [_row("pooled", "", pool(stats)) for stats in by_threshold]
    for scope, middle in (("mean", fmean), ("median", median)):
        for stats in by_threshold:
            images = [_row("image", "", image) for image in stats]
            ratios: dict[str, Any] = {name: middle(getattr(row, name) for row in images) for name in RATIOS}
            rows.append(Row(scope, "", stats[0].thresh, **ratios))
    return rows

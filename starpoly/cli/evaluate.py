"""``starpoly evaluate``: score label images against true ones."""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, StarpolyError, StarpolyWarning

if TYPE_CHECKING:
    from ..evaluation.report import Report, Row, Sample
    from ..io.files.pairing import Pairs

HELP = "score predicted label images against true ones"

_DEFAULT_IOU = {"stardist": "0.5:0.95:0.05", "neurips": "0.5"}
_COLUMNS = ("precision", "recall", "f1", "ap", "pq", "mean_matched_iou")
_HEADER = f"{'IoU':>5} {'precision':>9} {'recall':>6} {'F1':>6} {'AP':>6} {'PQ':>6} {'mean IoU':>8} {'TP':>7} {'FP':>7} {'FN':>7}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("pred", metavar="PRED", type=Path, help="predicted label images: a folder or one file")
    parser.add_argument(
        "true",
        metavar="TRUE",
        type=Path,
        help="true label images: a folder or one file; files pair by name, without endings such as _label or _masks",
    )
    parser.add_argument(
        "--iou",
        metavar="T",
        help="IoU thresholds: a number, a comma list or start:stop:step, stop included "
        "(default: 0.5:0.95:0.05, and 0.5 for neurips)",
    )
    parser.add_argument(
        "--protocol",
        choices=tuple(_DEFAULT_IOU),
        default="stardist",
        help="stardist: all objects, pooled over the images; neurips: F1 per image as in the NeurIPS 2022 challenge, "
        "without objects at the border (default: %(default)s)",
    )
    parser.add_argument("--per-image", action="store_true", help="print a line for every image, too")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write the table, per image as well, to a .csv or .json file"
    )
    parser.add_argument("--plot", metavar="FILE.png", type=Path, help="draw the scores over the IoU threshold")


def run(args: argparse.Namespace) -> int:
    """Score, print and write; 1 if an image has an error (the others are scored), else 0."""
    from ..evaluation.report import check_output, evaluate
    from ..io.files.pairing import pair_files

    thresholds = parse_thresholds(args.iou or _DEFAULT_IOU[args.protocol])
    if args.output is not None:
        check_output(args.output)
    if args.plot is not None:
        _check_plot(args.plot)
    if args.pred.is_dir() and args.true.is_dir() and args.pred.samefile(args.true):
        raise DataError(f"expected two folders, got {args.pred} twice; move predictions and true labels apart")
    pairs = pair_files(args.true, args.pred)
    _report_strays(pairs, args.true, args.pred)
    report = evaluate(_samples(pairs), thresholds, args.protocol)
    for name, status in report.problems().items():
        if status.startswith("error"):
            sys.stderr.write(f"{name}: {status}\n")
    sys.stdout.write(format_report(report, per_image=args.per_image))
    if args.output is not None:
        report.save(args.output)
    if args.plot is not None:
        _save_plot(report, args.plot)
    return int(report.failed)


def parse_thresholds(text: str) -> tuple[float, ...]:
    """IoU thresholds from "0.5", "0.5,0.75" or "0.5:0.95:0.05" (the last value is included).

    Raises
    ------
    DataError
        If the text is something else, or a threshold does not lie above 0 and up to 1.
    """
    expected = f"--iou: expected a number, a comma list or start:stop:step from 0 to 1, got {text!r}; for example 0.5:0.95:0.05"
    try:
        if ":" in text:
            start, stop, step = map(float, text.split(":"))
            if not step > 0 or not math.isfinite(start + stop + step) or (stop - start) / step > 1e4:
                raise ValueError
            count = math.floor((stop - start) / step + 1e-6) + 1
            values = tuple(round(start + k * step, 10) for k in range(count))  # 0.6, not 0.6000000000000001
        else:
            values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise DataError(expected) from None
    if not values or not all(0 < value <= 1 for value in values):
        raise DataError(expected)
    return tuple(dict.fromkeys(values))


def format_report(report: Report, *, per_image: bool = False) -> str:
    """The report as lines of text for a terminal."""
    images = report.scope("image")
    names = list(dict.fromkeys(row.image for row in images))
    lines = []
    if per_image:
        lines += [_HEADER + "  image", *(f"{_line(row)}  {row.image}{_remark(row)}" for row in images), ""]
    objects = report.scope("pooled")[0].n_true
    unused = len({row.image for row in images if row.n_true is None})
    count = len(names) - unused
    lines += [f"{count} image{'s' if count != 1 else ''}, {objects} true objects, pooled ({report.protocol}):", _HEADER]
    lines += [_line(row) for row in report.scope("pooled")]
    if report.protocol == "neurips":
        for mean, middle in zip(report.scope("mean"), report.scope("median"), strict=True):
            lines.append(f"F1 over images at IoU {mean.iou:g}: mean {mean.f1:.4f}, median {middle.f1:.4f}")
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    widths = (9, 6, 6, 6, 6, 8)
    ratios = [getattr(row, name) for name in _COLUMNS]
    cells = [f"{row.iou:5.3g}"]
    cells += [
        " " * width if value is None else f"{value:{width}.4f}" for value, width in zip(ratios, widths, strict=True)
    ]
    cells += [f"{'' if value is None else value:>7}" for value in (row.tp, row.fp, row.fn)]
    return " ".join(cells)


def _remark(row: Row) -> str:
    return "" if row.status == "ok" else f" ({row.status})"


def _report_strays(pairs: Pairs, true: Path, pred: Path) -> None:
    """Say which files have no partner.

    Raises
    ------
    DataError
        If nothing pairs.
    """
    from ..io.files.ignored import describe_ignored

    if not pairs.pairs:
        raise DataError(
            f"expected predictions named like the true label images, got no pair among {len(pairs.only_second)} files "
            f"in {pred} and {len(pairs.only_first)} in {true}; compare their names"
        )
    if pairs.ignored:
        warnings.warn(describe_ignored(pairs.ignored), StarpolyWarning, stacklevel=2)
    if pairs.only_first:
        warnings.warn(
            f"no prediction for {_names(pairs.only_first)}: all of their objects count as missed",
            StarpolyWarning,
            stacklevel=2,
        )
    if pairs.only_second:
        warnings.warn(f"no true labels for {_names(pairs.only_second)}: ignored", StarpolyWarning, stacklevel=2)


def _names(paths: tuple[Path, ...], most: int = 5) -> str:
    names = ", ".join(path.name for path in paths[:most])
    if len(paths) == 1:
        return names
    return f"{len(paths)} files ({names}{f' and {len(paths) - most} more' if len(paths) > most else ''})"


def _samples(pairs: Pairs) -> Iterator[Sample]:
    """Read the label images, one pair at a time, in the order of their keys."""
    from tqdm import tqdm

    from ..io.files.naming import key

    files: Iterable[tuple[Path, Path | None]] = [*pairs.pairs, *((path, None) for path in pairs.only_first)]
    files = sorted(files, key=lambda pair: key(pair[0]))
    for true, pred in tqdm(files, desc="evaluate", unit="image", disable=None):
        yield _read(true, pred)


def _read(true: Path, pred: Path | None) -> Sample:
    from ..evaluation.report import Sample
    from ..io.files.naming import key
    from ..io.readers.labels import read_labels

    name = key(true)
    try:
        y_true = read_labels(true)
    except StarpolyError as error:
        return Sample(name, None, None, str(error))
    if pred is None:
        return Sample(name, y_true, None)
    try:
        return Sample(name, y_true, read_labels(pred))
    except StarpolyError as error:
        return Sample(name, y_true, None, str(error))


def _check_plot(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise DataError(f"--plot: expected a file name that ends in .png, got {path}")
    if not path.parent.is_dir():
        raise DataError(f"--plot: expected an existing folder, got {path.parent}; make it first")


def _save_plot(report: Report, path: Path) -> None:
    from ..plot import plot_scores, save_figure

    pooled = report.scope("pooled")
    scores = {
        "precision": [row.precision for row in pooled],
        "recall": [row.recall for row in pooled],
        "F1": [row.f1 for row in pooled],
        "AP": [row.ap for row in pooled],
        "PQ": [row.pq for row in pooled],
    }
    save_figure(path, lambda axes: plot_scores(axes, [row.iou for row in pooled], scores))

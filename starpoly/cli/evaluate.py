"""``starpoly evaluate``: score label images against true ones."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError
from ..io.console import printable_lines, say
from .common import check_suffix, with_point

if TYPE_CHECKING:
    from ..evaluation.report import Report

HELP = "score predicted label images against true ones"
EXAMPLE = "starpoly evaluate results/ masks/ --per-image"

_DEFAULT_IOU = {"stardist": "0.5:0.95:0.05", "neurips": "0.5"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("pred", metavar="PRED", type=Path, help="predicted label images: a folder or one file")
    parser.add_argument(
        "true",
        metavar="TRUE",
        type=Path,
        help="true label images: a folder or one file; files pair by name, suffixes such as _label or _masks are ignored",
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
        help="stardist: objects of all images pooled; neurips: F1 per image as in the NeurIPS 2022 challenge, "
        "without objects at the border (default: %(default)s)",
    )
    parser.add_argument("--per-image", action="store_true", help="also print a line per image")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write all scores, per image too, to a .csv or .json file"
    )
    parser.add_argument("--plot", metavar="FILE.png", type=Path, help="plot the scores over the IoU threshold")


def run(args: argparse.Namespace) -> int:
    """Score, print and write. Return 1 if an image has an error, else 0; the other images are still scored."""
    from ..evaluation.files import pair_label_files, read_samples
    from ..evaluation.report import check_output, evaluate
    from ..evaluation.text import format_report
    from ..io.files.named import check_named, named_output

    thresholds = parse_thresholds(args.iou or _DEFAULT_IOU[args.protocol])
    if args.output is not None:
        check_named(check_output(args.output))
    if args.plot is not None:
        _check_plot(args.plot)
        check_named(args.plot)
    report = evaluate(read_samples(pair_label_files(args.true, args.pred)), thresholds, args.protocol)
    for name, status in report.problems().items():
        if status.startswith("error"):
            say(f"starpoly: error: {name}: {status.removeprefix('error: ')}")
    sys.stdout.write(printable_lines(format_report(report, per_image=args.per_image)))
    if args.output is not None:
        with named_output(args.output) as path:
            report.save(path)
    if args.plot is not None:
        with named_output(args.plot) as path:
            _save_plot(path, report)
    return int(report.failed)


def parse_thresholds(text: str) -> tuple[float, ...]:
    """Parse IoU thresholds such as "0.5", "0.5,0.75" or "0.5:0.95:0.05" (stop included).

    Raises
    ------
    DataError
        If the text has another form, or a threshold lies outside (0, 1].
    """
    expected = f"--iou: expected a number, a comma list or start:stop:step from 0 to 1, got {text!r}; for example 0.5:0.95:0.05{with_point(text)}"
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


def _check_plot(path: Path) -> None:
    check_suffix("--plot", path, ".png")
    if not path.parent.is_dir():
        raise DataError(f"--plot: expected an existing folder, got {path.parent}; make it first")


def _save_plot(path: Path, report: Report) -> None:
    from ..plot.figure import save_figure
    from ..plot.scores import plot_report

    save_figure(path, lambda axes: plot_report(axes, report))

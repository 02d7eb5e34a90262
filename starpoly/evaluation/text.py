"""Format a score report as text for a terminal."""

from __future__ import annotations

from .report import OK, RATIOS, Report, Row

_HEADER = f"{'IoU':>5} {'precision':>9} {'recall':>6} {'F1':>6} {'AP':>6} {'PQ':>6} {'mean IoU':>8} {'TP':>7} {'FP':>7} {'FN':>7}"
_WIDTHS = (9, 6, 6, 6, 6, 8)


def format_report(report: Report, *, per_image: bool = False) -> str:
    """Format the pooled scores; with ``per_image`` also those of each image."""
    images = report.scope("image")
    lines = []
    if per_image:
        lines += [_HEADER + "  image", *(f"{_line(row)}  {row.image}{_remark(row)}" for row in images), ""]
    objects = report.scope("pooled")[0].n_true
    count = len({row.image for row in images}) - len({row.image for row in images if row.n_true is None})
    lines += [f"{count} image{'s' if count != 1 else ''}, {objects} true objects, pooled ({report.protocol}):", _HEADER]
    lines += [_line(row) for row in report.scope("pooled")]
    if report.protocol == "neurips":
        for mean, middle in zip(report.scope("mean"), report.scope("median"), strict=True):
            lines.append(f"F1 over images at IoU {mean.iou:g}: mean {mean.f1:.4f}, median {middle.f1:.4f}")
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    ratios = [getattr(row, name) for name in RATIOS]
    cells = [f"{row.iou:5.3g}"]
    cells += [
        " " * width if value is None else f"{value:{width}.4f}" for value, width in zip(ratios, _WIDTHS, strict=True)
    ]
    cells += [f"{'' if value is None else value:>7}" for value in (row.tp, row.fp, row.fn)]
    return " ".join(cells)


def _remark(row: Row) -> str:
    return "" if row.status == OK else f" ({row.status})"

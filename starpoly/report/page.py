"""HTML page of a batch report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..config import ModelSpec
from ..io.console import printable
from ..plot import figure_png, plot_score_histogram, plot_sizes
from .examine import Examined, median_of, spec_of
from .flags import MEANINGS
from .html import data_uri, link_to, write_html

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: File name of the page in the results folder.
FILE_NAME = "report.html"


def write_page(path: Path, examined: Sequence[Examined], specs: Mapping[str, ModelSpec]) -> None:
    """Write a page about a batch of images.

    Parameters
    ----------
    path : Path
        The HTML file. Links are relative to its folder.
    examined : sequence of Examined
        In initial display order.
    specs : mapping of str to ModelSpec
        Candidate models of the entries, by name.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_html(path, "starpoly report", "page.html", "page.css", "page.js", _describe(path.parent, examined, specs))


def _describe(folder: Path, examined: Sequence[Examined], specs: Mapping[str, ModelSpec]) -> dict[str, Any]:
    """The page's data."""
    used = {id(spec): spec for one in examined if (spec := spec_of(one.entry, specs))}
    spec = next(iter(used.values())) if len(used) == 1 else None
    in_micrometres = all(one.objects.micrometres is not None for one in examined if one.objects is not None) and any(
        one.objects is not None for one in examined
    )
    names = sorted({one.entry.model for one in examined if one.entry.model}) or sorted(
        spec.name for spec in used.values()
    )
    unit = "µm" if in_micrometres else "px"
    n_failed = sum(one.flags[:1] == ["failed"] for one in examined)
    return {
        "about": f"{printable(folder.resolve().name)}{', model ' if names else ''}{printable(', '.join(names))}",
        "made": f"starpoly {__version__}, {datetime.now(UTC).isoformat(sep=' ', timespec='minutes')}"
        + ("" if used else "; the model is not known, so sizes were not compared with its training data"),
        "totals": [
            ["images", len(examined), False],
            ["objects", sum(one.facts.n_objects for one in examined), False],
            ["flagged", sum(bool(one.flags) for one in examined), any(one.flags for one in examined)],
            *([["failed", n_failed, True]] if n_failed else []),
        ],
        "figures": _figures(examined, spec, unit),
        "meanings": list(MEANINGS.items()),
        "unit": unit,
        "several_models": len(names) > 1,
        "rows": [_row(one, folder, in_micrometres) for one in examined],
    }


def _row(one: Examined, folder: Path, in_micrometres: bool) -> dict[str, Any]:
    entry, facts, objects = one.entry, one.facts, one.objects
    flags = one.flags
    diameters = None if objects is None else objects.micrometres if in_micrometres else objects.diameters
    said = [facts.problem] if facts.problem else list(entry.warnings)
    files_there = {"overlay": entry.overlay, "labels": entry.labels, "table": entry.table}
    return {
        "name": printable(entry.name),
        "said": [printable(text) for text in said],
        "failed": bool(facts.problem),
        "flags": flags,
        "rank": list(MEANINGS).index(flags[0]) if flags else len(MEANINGS),
        "objects": None if objects is None else facts.n_objects,
        "diameter": _median(diameters),
        "model": printable(entry.model or ""),
        "score": _median(None if objects is None else objects.scores),
        "border": facts.border,
        "low": facts.low,
        "shape": one.shape,
        "thumbnail": data_uri("jpeg", one.thumbnail) if one.thumbnail else "",
        "links": [
            [kind, link] for kind, path in files_there.items() if path is not None and (link := link_to(path, folder))
        ],
    }


def _figures(examined: Sequence[Examined], spec: ModelSpec | None, unit: str) -> list[list[str]]:
    """Histograms of sizes and scores of all objects."""
    objects = [one.objects for one in examined if one.objects is not None and len(one.objects)]
    if not objects:
        return []
    sizes = np.concatenate(
        [part.diameters if unit == "px" or part.micrometres is None else part.micrometres for part in objects]
    )
    scores = [part.scores for part in objects if part.scores is not None]

    def draw_sizes(axes: Axes) -> None:
        plot_sizes(axes, sizes, spec.object_diameter if spec and unit == "px" else None, unit)

    def draw_scores(axes: Axes) -> None:
        plot_score_histogram(axes, np.concatenate(scores), spec.thresholds.prob if spec else None)

    figures = [["sizes of the objects", draw_sizes]]
    if scores:
        figures.append(["scores of the objects", draw_scores])
    return [[str(alt), data_uri("png", figure_png(draw, (4, 2.5), 160))] for alt, draw in figures]  # type: ignore[arg-type]


def _median(values: NDArray | None) -> float | None:
    median = median_of(values)
    return None if median is None else round(median, 4)

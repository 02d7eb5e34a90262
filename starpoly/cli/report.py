"""``starpoly report``: one page about the results in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import say

if TYPE_CHECKING:
    from ..config import ModelSpec
    from ..report.entries import Entry

HELP = "write one HTML page about the results in a folder, to look through them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "output", metavar="OUT", type=Path, help="folder that `starpoly predict -o` wrote; its sub-folders, too"
    )
    parser.add_argument(
        "--images",
        metavar="DIR",
        type=Path,
        help="folder of the images (default: where the provenance says; else overlays or outlines alone are shown)",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="name or folder of the model: sizes are compared with its training data (default: as the provenance says)",
    )
    parser.add_argument(
        "-o", "--page", metavar="FILE.html", type=Path, help="where to write the page (default: OUT/report.html)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the page; 1 if an image has no readable results, else 0."""
    from ..report.entries import find_entries
    from ..report.page import FILE_NAME

    entries = find_entries(args.output, args.images)
    page = args.page or args.output / FILE_NAME
    return write_report(page, entries, specs_of(entries, args.model), quiet=getattr(args, "quiet", False))


def write_report(page: Path, entries: list[Entry], specs: dict[str, ModelSpec], *, quiet: bool) -> int:
    """Look at all entries and write the page; 1 if one has a problem, else 0.

    ``specs`` are the models that may have made the entries, by name.
    """
    from tqdm import tqdm

    from ..report.examine import examine_all
    from ..report.page import write_page

    with tqdm(total=len(entries), desc="report", unit="image", leave=False, disable=True if quiet else None) as bar:
        examined = examine_all(entries, specs, bar.update)
    write_page(page, examined, specs)
    n_flagged = sum(bool(one.flags) for one in examined)
    if not quiet:
        say(f"{page}: {len(examined)} images, {n_flagged} flagged")
    return int(any(one.facts.problem for one in examined))


def specs_of(entries: list[Entry], asked: str | None) -> dict[str, ModelSpec]:
    """The model that was asked for, or those that made the entries, as far as they are known."""
    from ..model_zoo import available, find_model
    from ..network.storage.folder import load_spec

    if asked is not None:
        return {asked: load_spec(find_model(asked))}
    # of a folder of somebody's only the name is known, and a name from a file is not to be taken for a path
    names = {entry.model for entry in entries if entry.model} & set(available())
    return {name: load_spec(find_model(name)) for name in sorted(names)}


def entries_of(rows: list[dict[str, Any]], args: argparse.Namespace) -> list[Entry]:
    """What ``starpoly predict`` has to report, from the rows of its summary.

    Parameters
    ----------
    rows : list of dict
        One for each image, and for each input without any.
    args : argparse.Namespace
        Of ``starpoly predict``.
    """
    from ..report.entries import Entry

    def entry(row: dict[str, Any]) -> Entry:
        labels, overlay, table = (Path(row[kind]) if kind in row else None for kind in ("labels", "overlay", "table"))
        name = row["input"] if labels is None else str(labels.relative_to(args.output)).removesuffix("_label.tiff")
        return Entry(
            name,
            labels,
            Path(row["input"]),
            overlay,
            table,
            model=row.get("model"),
            problem=row.get("error", ""),
            warnings=tuple(row.get("warnings", ())),
            level=args.level,
            roi=args.roi,
            threshold=args.prob_threshold,
            seconds=row.get("seconds"),
        )

    return [entry(row) for row in rows]

"""``starpoly report``: one page about the results in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .common import check_suffix, say

if TYPE_CHECKING:
    from ..report.examine import Examined

HELP = "write one HTML page about the results in a folder"
EXAMPLE = "starpoly report results/ --images images/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "output", metavar="OUT", type=Path, help="folder that `starpoly predict -o` wrote, with its sub-folders"
    )
    parser.add_argument(
        "--images",
        metavar="DIR",
        type=Path,
        help="folder of the images (default: as the provenance says, else the page shows overlays or outlines)",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="name or folder of the model; sizes are compared with its training data (default: as the provenance says)",
    )
    parser.add_argument(
        "-o", "--page", metavar="FILE.html", type=Path, help="where to write the page (default: OUT/report.html)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the page. Return 1 if an image has no readable results, else 0."""
    from ..errors import DataError
    from ..io.files.named import named_output
    from ..report.batch import specs_for, write_report
    from ..report.entries import find_entries
    from ..report.page import FILE_NAME

    quiet = getattr(args, "quiet", False)
    page = args.page or args.output / FILE_NAME
    check_suffix("-o", page, ".html")
    if args.images is not None and not args.images.is_dir():
        raise DataError(f"--images: expected a folder of images, got nothing at {args.images}; check the path")
    with named_output(page) as target:
        entries = find_entries(args.output, args.images)
        examined = write_report(target, entries, specs_for(entries, args.model), progress=not quiet)
    for one in examined:
        if one.facts.problem:
            say(f"starpoly: error: {one.entry.name}: {one.facts.problem}")
    if not quiet:
        say_written(page, examined)
    return int(any(one.facts.problem for one in examined))


def say_written(page: Path, examined: list[Examined]) -> None:
    """Print the page's path with its image and flag counts."""
    n_flagged = sum(bool(one.flags) for one in examined)
    say(f"{page}: {len(examined)} {'image' if len(examined) == 1 else 'images'}, {n_flagged} flagged")

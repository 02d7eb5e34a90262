"""``starpoly view``: show an image with its labels in napari, or write a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import check_suffix, say

HELP = "show an image with its labels in napari, or write a picture"
EXAMPLE = "starpoly view cells.tif results/cells_label.tiff"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("image", metavar="IMAGE", type=Path, help="image file")
    parser.add_argument("labels", metavar="LABELS", type=Path, help="its label image")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.png",
        type=Path,
        help="write a picture instead of opening napari; without napari or a display the picture is NAME_overlay.png beside the labels",
    )


def run(args: argparse.Namespace) -> int:
    """Show the image in napari or write the picture. Return 0."""
    from ..io.files.named import named_output
    from ..plot import viewer

    if args.output is None and (reason := viewer.why_not_napari()) is None:
        import napari

        viewer.show_in_napari(args.image, args.labels)
        napari.run()
        return 0
    if args.output is None:
        say(f"starpoly: {reason}; writing a picture instead")
    path = args.output or _beside(args.labels)
    check_suffix("-o", path, ".png")
    with named_output(path) as target:
        viewer.write_picture(target, args.image, args.labels)
    say(f"{path}: written")
    return 0


def _beside(labels: Path) -> Path:
    """Path of the picture beside the labels, named like other results."""
    return labels.with_name(f"{labels.name.rpartition('_label')[0] or labels.stem}_overlay.png")

"""``starpoly view``: an image and its labels in napari, or as a picture."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from .common import say

HELP = "look at an image with its labels, in napari or as a picture"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("image", metavar="IMAGE", type=Path, help="image file")
    parser.add_argument("labels", metavar="LABELS", type=Path, help="its label image")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.png",
        type=Path,
        help="write a picture there; without it napari is opened, or where it cannot be, NAME_overlay.png is written beside the labels",
    )


def run(args: argparse.Namespace) -> int:
    """Show or write; 0."""
    if args.output is None and (reason := why_not_napari()) is None:
        import napari

        from ..napari_plugin.layers import show

        show(args.image, args.labels)
        napari.run()
        return 0
    if args.output is None:
        say(f"starpoly: {reason}; a picture is written instead")
    path = args.output or args.labels.with_name(
        f"{args.labels.name.rpartition('_label')[0] or args.labels.stem}_overlay.png"
    )
    write_picture(path, args.image, args.labels)
    say(f"{path}: written")
    return 0


def why_not_napari() -> str | None:
    """What stands in the way of a window of napari; None if nothing does."""
    if find_spec("napari") is None:
        return 'napari is not installed (pip install "starpoly[napari]")'
    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        return "there is no display"
    return None


def write_picture(path: Path, image: Path, labels: Path) -> None:
    """Write the outlines over the image, reduced where it is large.

    Raises
    ------
    ImageError
        If one cannot be read, they differ in size, or the picture cannot be written.
    """
    from ..io.readers.images import open_source
    from ..io.readers.thumbnail import every
    from ..io.writers.overlay import MAX_SIDE, write_overlay
    from ..napari_plugin.layers import check_pair

    with open_source(image) as pixels, open_source(labels) as ids:
        check_pair(pixels, ids)
        step = -(-max(pixels.shape[:2]) // MAX_SIDE)
        write_overlay(path, every(pixels, step), every(ids, step)[..., 0])

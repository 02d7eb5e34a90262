"""``starpoly tune``: fit a model's thresholds, calibration, sizes and masks to a few labelled images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .common import say

if TYPE_CHECKING:
    from ..training.tuning import Tuning

HELP = "fit a model's thresholds and masks to a few labelled images, without training"
EXAMPLE = "starpoly tune cells-fast --images images/ --masks masks/ -o my-model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``starpoly tune``."""
    parser.add_argument("model", metavar="MODEL", help="the model to start from (name or folder); it stays as it is")
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of images")
    parser.add_argument(
        "--masks",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of label images; files pair by name, suffixes such as _label are ignored",
    )
    parser.add_argument(
        "--groups",
        type=Path,
        metavar="FILE.csv",
        help="table with the columns name and group, such as the kind of image: groups count alike, whatever their size",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MODELDIR", help="model folder to write")


def run(args: argparse.Namespace) -> int:
    """Tune, write the model and print what changed."""
    from ..errors import ModelError
    from ..network.quiet import quiet_import
    from ..network.storage.folder import SPEC_FILE
    from ..training.data import find_pairs
    from ..training.groups import read_groups, with_groups
    from ..training.tuning import tune_model

    # a place that cannot be is told before the work
    if args.output.exists() and not args.output.is_dir():
        raise ModelError(f"{args.output}: expected a folder to write the model to, got a file; name another with -o")
    if (args.output / SPEC_FILE).exists():
        say(f"starpoly: warning: {args.output}: holds a model, which is replaced")
    quiet_import()
    pairs = find_pairs(args.images, args.masks)
    if args.groups is not None:
        pairs = with_groups(pairs, read_groups(args.groups), str(args.groups))
    tuning = tune_model(args.model, pairs, args.output, progress=not args.quiet)
    if not args.quiet:
        say(_summary(tuning))
    return 0


def _summary(tuning: Tuning) -> str:
    spec, growth = tuning.spec, tuning.spec.mask_growth
    masks = (
        f"follow a foreground above {growth.foreground:g} by {growth.distance} px" if growth.distance else "as drawn"
    )
    return "\n".join(
        [
            f"{tuning.n_objects} objects in {tuning.n_images} images",
            f"untouched: {tuning.before}",
            f"tuned:     {tuning.after} (on the same images; judge it on others)",
            f"thresholds prob {spec.thresholds.prob}, nms {spec.thresholds.nms}; masks {masks}; "
            f"objects of {spec.object_diameter[0]:g} to {spec.object_diameter[2]:g} px",
        ]
    )

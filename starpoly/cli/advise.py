"""``starpoly advise``: settings of a training that suit the masks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .common import check_suffix, say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..training.advice import Advice

HELP = "suggest rays, grid, patch size and scale for your masks before a training"
EXAMPLE = "starpoly advise --images train/images --masks train/masks --init nuclei-fluo -o settings.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--masks", type=Path, required=True, metavar="DIR", help="folder of label images")
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of their images: the number of channels is suggested, too"
    )
    parser.add_argument(
        "--init", metavar="MODEL", help="say which layers of this model (name or folder) a training would start afresh"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.toml", help="write the settings, for train --config")


def run(args: argparse.Namespace) -> int:
    """Print the advice, and write it."""
    from ..network.quiet import quiet_import

    quiet_import()
    from ..io.files.atomic import check_free, new_file
    from ..model_zoo import find_model
    from ..training.advice import advise, channels_of
    from ..training.data import find_pairs

    # names that are wrong are told before the work
    if args.init is not None:
        find_model(args.init)
    if args.output is not None:
        check_free(args.output)
        check_suffix("-o", args.output, ".toml")
    if args.images is None:
        masks, n_channels = _masks(args.masks), None
    else:
        pairs = find_pairs(args.images, args.masks)
        masks, n_channels = {pair.name: pair.read_labels() for pair in pairs}, channels_of(pairs)
    advice = advise(list(masks.values()), names=list(masks))
    settings = advice.to_toml(n_channels)
    sys.stdout.write(f"{advice}\n\n{settings}")
    if args.init is not None:
        _say_afresh(args.init, advice, n_channels)
    if args.output is not None:
        with new_file(args.output, "name another file with -o") as temporary:
            temporary.write_text(settings, encoding="utf-8", newline="\n")
        say(f"{args.output}: settings for starpoly train --config")
    return 0


def _masks(folder: Path) -> dict[str, NDArray]:
    from ..errors import DataError
    from ..io.files.pairing import image_files
    from ..io.readers.labels import read_labels

    files = image_files(folder) if folder.is_dir() else []
    if not files:
        got = "a folder without images" if folder.is_dir() else "no folder"
        raise DataError(f"{folder}: expected a folder of label images, got {got}; name it with --masks")
    return {str(path): read_labels(path) for path in files}


def _say_afresh(init: str, advice: Advice, n_channels: int | None) -> None:
    from ..model_zoo import find_model
    from ..network.storage.folder import load_spec
    from ..training.initial import describe_afresh

    folder = find_model(init)
    given = load_spec(folder).network
    wanted = given.replace(n_rays=advice.n_rays, grid=advice.grid, n_channels=n_channels or given.n_channels)
    sys.stdout.write(f"\n{describe_afresh(folder, given, wanted)}\n")

"""``starpoly train``: train a model on folders of images and masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .common import integer, number, positive_float, say, whole_number

if TYPE_CHECKING:
    from ..training.inputs import TrainingFolders, TrainingInputs
    from ..training.settings import TrainingSettings

HELP = "train a model on images and masks"
EXAMPLE = "starpoly train --images train/images --masks train/masks -o my-model --init nuclei-fluo --minutes 60"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``starpoly train``."""
    data = parser.add_argument_group("data")
    data.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of training images")
    data.add_argument(
        "--masks",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of label images; files pair by name, suffixes such as _label are ignored",
    )
    data.add_argument(
        "--classes", type=Path, metavar="DIR", help="folder of tables NAME.csv with the columns label, class"
    )
    data.add_argument(
        "--groups",
        type=Path,
        metavar="FILE.csv",
        help="table with the columns name, group; images of rare groups are drawn more often (training.group_balance)",
    )
    data.add_argument(
        "--unlabelled",
        type=Path,
        metavar="DIR",
        help="folder of images without masks; later epochs learn from them, too",
    )
    data.add_argument("--val-images", type=Path, metavar="DIR", help="folder of validation images")
    data.add_argument("--val-masks", type=Path, metavar="DIR", help="folder of validation masks")
    data.add_argument("--val-classes", type=Path, metavar="DIR", help="folder of validation class tables")
    data.add_argument(
        "--val-fraction",
        type=number,
        default=0.15,
        metavar="F",
        help="share of the pairs for validation, unless folders are given (default: 0.15)",
    )
    data.add_argument("--licence", default="", help="licence of the data; the model keeps it")
    model = parser.add_argument_group("model")
    model.add_argument("-o", "--output", type=Path, required=True, metavar="MODELDIR", help="model folder to write")
    model.add_argument(
        "--init",
        metavar="MODEL",
        help="start from this model (name or folder); with [network] settings, only fitting layers are kept",
    )
    model.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="settings in the tables [network], [training], [training.augment], [training.unlabelled], [normalization]",
    )
    model.add_argument(
        "--class-names", nargs="+", default=[], metavar="NAME", help="names of the classes 1, 2, ...; sets their number"
    )
    run = parser.add_argument_group("training")
    length = run.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=integer, metavar="N", help="number of epochs (default: 80; with --init 20)")
    length.add_argument(
        "--minutes",
        type=positive_float,
        metavar="M",
        help="train for about M minutes: a few steps are timed, then the number of epochs is chosen",
    )
    run.add_argument("--steps", type=integer, metavar="N", help="optimiser steps per epoch")
    run.add_argument("--batch-size", type=integer, metavar="N", help="patches per step")
    run.add_argument("--patch-size", type=integer, metavar="N", help="side of a patch in pixels")
    run.add_argument(
        "--learning-rate", type=number, metavar="R", help="highest learning rate (default: 1e-3; with --init 3e-4)"
    )
    run.add_argument("--precision", choices=("float32", "bfloat16"), help="arithmetic of the network in training")
    run.add_argument(
        "--rendered",
        type=number,
        metavar="F",
        help="share of the patches that are rendered, as many microscopes would show cells (default: 0)",
    )
    run.add_argument("--seed", type=integer, metavar="N", help="seed of everything random")
    run.add_argument(
        "--inspect-every",
        type=whole_number,
        default=10,
        metavar="N",
        help="epochs between two looks at the best model: pictures of validation images with the objects found, where it is a "
        "new one; 0 for none (default: %(default)s)",
    )
    run.add_argument(
        "--resume",
        action="store_true",
        help="continue from the checkpoint in MODELDIR with its settings; the result is the same",
    )


def run(args: argparse.Namespace) -> int:
    """Read settings and data, train, and print the result."""
    from ..training.resuming import describe_saved
    from ..training.run import run_training

    settings = _settings(args)
    data = _data(args, settings.training.seed)
    _say(args, _counts(data))
    try:
        spec = run_training(
            args.output,
            data,
            network=settings.network,
            training=settings.training,
            normalization=settings.normalization,
            init=args.init,
            resume=args.resume,
            minutes=args.minutes,
            inspect_every=args.inspect_every,
        )
    except KeyboardInterrupt:
        say(f"starpoly: {describe_saved(args.output)}")
        raise
    thresholds = spec.thresholds
    _say(
        args,
        f"{args.output}: best epoch {spec.training['best_epoch']}, thresholds prob {thresholds.prob}, nms {thresholds.nms}",
    )
    return 0


def _settings(args: argparse.Namespace) -> TrainingSettings:
    """Merge settings: defaults, then the file, then the command line."""
    from ..training.settings import read_settings

    named: dict[str, Any] = {
        "epochs": args.epochs,
        "steps_per_epoch": args.steps,
        "batch_size": args.batch_size,
        "patch_size": None if args.patch_size is None else (args.patch_size, args.patch_size),
        "learning_rate": args.learning_rate,
        "precision": args.precision,
        "rendered": args.rendered,
        "seed": args.seed,
    }
    given = {name: value for name, value in named.items() if value is not None}
    if args.class_names and args.classes is None and not args.resume:
        raise ConfigError("--class-names: expected --classes with it, which tells the class of each object, got none")
    resumed = _settings_to_resume(args.output) if args.resume else None
    settings = read_settings(args.config, training=given, init=args.init, resumed=resumed)
    no_classes = settings.network is not None and not settings.network.n_classes and not args.class_names
    if args.init is None and args.classes is not None and no_classes:
        raise ConfigError(
            "--classes: expected --class-names NAME NAME ... (or n_classes in --config) with it, got neither"
        )
    return settings


def _settings_to_resume(folder: Path) -> dict[str, Any]:
    from ..training.resuming import settings_to_resume

    return settings_to_resume(folder)


def _data(args: argparse.Namespace, seed: int) -> TrainingInputs:
    from ..training.inputs import inputs_from_folders

    return inputs_from_folders(_folders(args), seed=seed, class_names=args.class_names, licence=args.licence)


def _folders(args: argparse.Namespace) -> TrainingFolders:
    from ..training.inputs import TrainingFolders

    return TrainingFolders(
        args.images,
        args.masks,
        classes=args.classes,
        groups=args.groups,
        unlabelled=args.unlabelled,
        val_images=args.val_images,
        val_masks=args.val_masks,
        val_classes=args.val_classes,
        val_fraction=args.val_fraction,
    )


def _counts(data: TrainingInputs) -> str:
    unlabelled = f", {len(data.unlabelled)} unlabelled images" if data.unlabelled else ""
    return f"{len(data.training)} training and {len(data.validation)} validation pairs{unlabelled}"


def _say(args: argparse.Namespace, message: str) -> None:
    if not getattr(args, "quiet", False):
        say(message)

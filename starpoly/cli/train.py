"""``starpoly train``: from folders of images and masks to a model folder."""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config, NetworkConfig, NormalizationConfig, TrainingConfig
from ..errors import ConfigError, DataError

if TYPE_CHECKING:
    from ..training.data import Pair
    from ..training.unlabelled import UnlabelledImage

HELP = "train a model on images and masks"
_TABLES = {"network": NetworkConfig, "training": TrainingConfig, "normalization": NormalizationConfig}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``starpoly train``."""
    data = parser.add_argument_group("data")
    data.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of training images")
    data.add_argument(
        "--masks",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of label images, paired by name (suffixes such as _label are ignored)",
    )
    data.add_argument(
        "--classes", type=Path, metavar="DIR", help="folder of CSV tables NAME.csv with the columns label, class"
    )
    data.add_argument(
        "--kinds",
        type=Path,
        metavar="FILE.csv",
        help="table with the columns name, kind; rare kinds of training images are drawn more often (training.kind_balance)",
    )
    data.add_argument(
        "--unlabelled",
        type=Path,
        metavar="DIR",
        help="folder of more images, without masks, to learn from in the later epochs; those that have masks are passed over",
    )
    data.add_argument("--val-images", type=Path, metavar="DIR", help="folder of validation images")
    data.add_argument("--val-masks", type=Path, metavar="DIR", help="folder of validation masks")
    data.add_argument("--val-classes", type=Path, metavar="DIR", help="folder of validation class tables")
    data.add_argument(
        "--val-fraction",
        type=float,
        default=0.15,
        metavar="F",
        help="share of the pairs set aside for validation where no folders are given (default: 0.15)",
    )
    data.add_argument("--licence", default="", help="licence of the data, kept in the model")
    model = parser.add_argument_group("model")
    model.add_argument("-o", "--output", type=Path, required=True, metavar="MODELDIR", help="model folder to write")
    model.add_argument(
        "--init",
        metavar="MODEL",
        help="start from the weights of this model (name or folder); with [network] settings, from what fits",
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
    run.add_argument("--epochs", type=int, metavar="N", help="number of epochs")
    run.add_argument("--steps", type=int, metavar="N", help="optimiser steps per epoch")
    run.add_argument("--batch-size", type=int, metavar="N", help="patches per step")
    run.add_argument("--patch-size", type=int, metavar="N", help="side of a patch in pixels")
    run.add_argument("--learning-rate", type=float, metavar="R", help="highest learning rate")
    run.add_argument("--precision", choices=("float32", "bfloat16"), help="arithmetic of the network in training")
    run.add_argument("--seed", type=int, metavar="N", help="seed of everything random")
    run.add_argument(
        "--inspect-every",
        type=int,
        default=10,
        metavar="N",
        help="epochs between two pictures of validation images with what the model finds; 0 for none (default: %(default)s)",
    )
    run.add_argument("--resume", action="store_true", help="go on from the checkpoint in MODELDIR, to the same result")


def run(args: argparse.Namespace) -> int:
    """Train, tune the thresholds, draw the losses."""
    settings = _settings(args)
    train_pairs, val_pairs = _pairs(args, settings["training"].seed)
    unlabelled = _unlabelled(args, [*train_pairs, *val_pairs])

    from ..network.quiet import quiet_import

    quiet_import()
    from ..model import StarPoly2D
    from ..model_zoo import find_model
    from ..training.fit import fit
    from ..training.history import FILE_NAME
    from ..training.inspection import Inspection
    from ..training.self_training import Unlabelled
    from ..training.thresholds import tune

    _say(
        args,
        f"{len(train_pairs)} training and {len(val_pairs)} validation pairs"
        + (f", {len(unlabelled)} unlabelled images" if unlabelled else ""),
    )
    inspection = Inspection(args.output, val_pairs, StarPoly2D.from_pretrained, args.inspect_every)
    fit(
        args.output,
        train_pairs,
        val_pairs,
        network=settings["network"],
        training=settings["training"],
        normalization=settings["normalization"],
        class_names=tuple(args.class_names),
        init=None if args.init is None else find_model(args.init),
        resume=args.resume,
        licence=args.licence,
        unlabelled=Unlabelled(unlabelled, StarPoly2D.of_network) if unlabelled else None,
        after_epoch=inspection,
    )
    model = StarPoly2D.from_pretrained(args.output)
    tuned = tune(model, val_pairs)
    model.spec = model.spec.replace(thresholds=tuned.thresholds, calibration=tuned.calibration)
    model.save(args.output)
    _draw_losses(args.output / FILE_NAME, args.output / "losses.png")
    inspection.finish()
    thresholds = model.spec.thresholds
    _say(
        args,
        f"{args.output}: best epoch {model.spec.training['best_epoch']}, thresholds prob {thresholds.prob}, nms {thresholds.nms}",
    )
    return 0


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """The configs: defaults, then the file, then the command line."""
    tables: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
    if args.config is not None:
        tables |= _read_toml(args.config)
    named = {
        "epochs": args.epochs,
        "steps_per_epoch": args.steps,
        "batch_size": args.batch_size,
        "patch_size": None if args.patch_size is None else (args.patch_size, args.patch_size),
        "learning_rate": args.learning_rate,
        "precision": args.precision,
        "seed": args.seed,
    }
    tables["training"] = {**tables["training"], **{name: value for name, value in named.items() if value is not None}}
    if args.class_names:
        tables["network"] = {**tables["network"], "n_classes": len(args.class_names)}
    configs: dict[str, Any] = {}
    for name, kind in _TABLES.items():
        config: type[Config] = kind
        configs[name] = config.from_dict(tables[name], where=name)
    if args.init is not None:
        configs["network"] = _network_of(args.init, tables["network"])
    elif args.classes is not None and not configs["network"].n_classes:
        raise ConfigError(
            "--classes: expected --class-names NAME NAME ... (or n_classes in --config) with it, got neither"
        )
    return configs


def _network_of(init: str, changes: dict[str, Any]) -> NetworkConfig | None:
    """The network of the initial model with the settings that are asked for; None where none is."""
    if not changes:
        return None
    from ..model_zoo import find_model
    from ..network.storage.folder import load_spec

    return load_spec(find_model(init)).network.replace(**changes)


def _read_toml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: expected a TOML file of settings, got: {error}") from error
    unknown = sorted(set(tables) - set(_TABLES))
    if unknown:
        raise ConfigError(f"{path}: unknown table {unknown[0]!r}; expected some of {', '.join(_TABLES)}")
    return tables


def _pairs(args: argparse.Namespace, seed: int) -> tuple[list[Pair], list[Pair]]:
    from ..training.data import find_pairs
    from ..training.groups import read_kinds, with_kinds

    if (args.val_images is None) != (args.val_masks is None):
        raise DataError("expected both --val-images and --val-masks, or neither, got one of them")
    pairs = find_pairs(args.images, args.masks, args.classes)
    if args.val_images is not None:
        val_pairs = find_pairs(args.val_images, args.val_masks, args.val_classes)
    else:
        pairs, val_pairs = _split(pairs, args.val_fraction, seed)
    if args.kinds is not None:
        pairs = with_kinds(pairs, read_kinds(args.kinds), str(args.kinds))
    return pairs, val_pairs


def _unlabelled(args: argparse.Namespace, pairs: list[Pair]) -> list[UnlabelledImage]:
    """The images of ``--unlabelled``; in a folder of labelled images, those without masks."""
    if args.unlabelled is None:
        return []
    from ..training.unlabelled import find_unlabelled

    folders = {folder.resolve() for folder in (args.images, args.val_images) if folder is not None}
    labelled = {pair.name for pair in pairs} if args.unlabelled.resolve() in folders else set()
    return find_unlabelled(args.unlabelled, exclude=labelled)


def _split(pairs: list[Pair], fraction: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Set a share of the pairs aside, at random but the same for the same seed; at least one each."""
    import numpy as np

    if len(pairs) < 2 or not 0 < fraction < 1:
        raise DataError(
            f"expected at least two pairs and a --val-fraction between 0 and 1, got {len(pairs)} and {fraction}; "
            "add images or give --val-images and --val-masks"
        )
    n_val = min(max(1, round(fraction * len(pairs))), len(pairs) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(pairs))[:n_val].tolist())
    return [p for i, p in enumerate(pairs) if i not in chosen], [p for i, p in enumerate(pairs) if i in chosen]


def _draw_losses(history: Path, picture: Path) -> None:
    from ..plot import plot_losses, save_figure

    save_figure(picture, lambda axes: plot_losses(axes, history))


def _say(args: argparse.Namespace, message: str) -> None:
    if not getattr(args, "quiet", False):
        print(message, file=sys.stderr)

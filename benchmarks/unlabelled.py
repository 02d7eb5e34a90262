"""What unlabelled images bring when few images are labelled.

Of a labelled training set the labels of all but a tenth of the images are hidden, split by ``group`` of the
manifest so that no field of view lies on both sides. Per seed two trainings of the same number of steps, the
same schedule and the same first half: (a) on the labelled tenth alone, (b) with the images whose labels are
hidden as unlabelled ones. A quarter of the labelled tenth chooses weights and thresholds, as a user would have
it; the validation images are only scored.

    python benchmarks/unlabelled.py --data DIR --manifest FILE.csv --output DIR [--seeds 0 1 2] [--only supervised]

``--data`` holds train/{images,labels} and val/{images,labels}. Everything is resumable: the same command goes on
where it was stopped, and prints what is there. ``--name`` and ``--settings`` run (b) with other settings, e.g.
``--name one-round --settings '{"rounds": 1}'``.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

IOU_THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
SHOWN = (0.5, 0.75, 0.9)
LABELLED = 0.1
#: Share of the labelled images that chooses weights and thresholds.
TUNING = 0.25
SUPERVISED, RESULT, TABLE = "supervised", "result.json", "table.json"


def split_by_group(names: list[str], groups: dict[str, str], seed: int) -> dict[str, list[str]]:
    """Names of the images to train on, to tune on, and to hide the labels of."""
    by_group: dict[str, list[str]] = {}
    for name in names:
        by_group.setdefault(groups[name], []).append(name)
    order = np.random.default_rng(seed).permutation(sorted(by_group)).tolist()
    split: dict[str, list[str]] = {"tune": [], "train": [], "hidden": []}
    wanted = {"tune": TUNING * LABELLED * len(names), "train": (1 - TUNING) * LABELLED * len(names)}
    for group in order:
        members = by_group[group]
        # a group that would take more than what is missing goes to the hidden ones
        part = next((p for p, n in wanted.items() if len(split[p]) + len(members) <= np.ceil(n)), "hidden")
        split[part] += members
    return {part: sorted(members) for part, members in split.items()}


def configs(seed: int, epochs: int, unlabelled: dict[str, Any]):
    """Network and training of every run; a smaller relative of models/nuclei-fluo."""
    from starpoly.config import NetworkConfig, TrainingConfig

    network = NetworkConfig(base_filters=16, max_filters=128, head_filters=32)
    training = TrainingConfig.from_dict({
        "epochs": epochs, "steps_per_epoch": 100, "batch_size": 4, "patch_size": (128, 128), "warmup_steps": 100, "ema": 0.995,
        "precision": "bfloat16", "validate_every": 2, "validation_patches": 48, "seed": seed, "unlabelled": unlabelled,
    })  # fmt: skip
    return network, training


def train(folder: Path, pairs: dict, seed: int, args: argparse.Namespace) -> None:
    """Train (a), keeping its state at half time, or (b), from that state on."""
    from starpoly.training.fit import fit
    from starpoly.training.inputs import TrainingInputs
    from starpoly.training.unlabelled import UnlabelledImage

    half = folder.parent / "half"

    def keep_half(epoch: int) -> None:
        if epoch == args.epochs // 2 and not half.exists():
            copy(folder, half)

    unlabelled = []
    if folder.name != SUPERVISED:
        unlabelled = [UnlabelledImage(p.name, p.read_image) for p in pairs["hidden"]]
        if not folder.exists():
            copy(half, folder)
    network, training = configs(seed, args.epochs, args.settings)
    fit(
        folder, TrainingInputs(pairs["train"], pairs["tune"], unlabelled), network=network, training=training, resume=True,
        after_epoch=None if unlabelled else keep_half,
    )  # fmt: skip


def copy(source: Path, target: Path) -> None:
    """A copy of a folder that is there whole or not at all."""
    part = target.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part)
    part.rename(target)


def score(folder: Path, tune: list, val: list) -> dict[str, Any]:
    """Tune the thresholds on the labelled part, then score the validation images."""
    from starpoly.evaluation.report import Sample, evaluate
    from starpoly.model import StarPoly2D
    from starpoly.training import thresholds

    model = StarPoly2D.from_pretrained(folder)
    model.spec = model.spec.replace(thresholds=thresholds.tune(model, tune).thresholds)
    samples = (Sample(p.name, p.read_labels(), model.predict_instances(p.read_image())[0]) for p in val)
    pooled = evaluate(samples, IOU_THRESHOLDS).scope("pooled")
    return {
        "thresholds": model.spec.thresholds.to_dict(),
        "best_epoch": model.spec.training["best_epoch"],
        "validation_loss": model.spec.training["validation_loss"],
        "rounds": model.spec.training.get("unlabelled", []),
        "ap": {str(row.iou): row.ap for row in pooled},
        "precision_50": pooled[0].precision,
        "recall_50": pooled[0].recall,
        "mean_ap": float(np.mean([row.ap for row in pooled])),
    }


def right_labels(folder: Path, hidden: list) -> dict[str, float]:
    """How right the pseudo-labels of the last round are: the labels that were hidden tell."""
    from starpoly.evaluation.metrics import matching
    from starpoly.training.rounds import read_round
    from starpoly.training.self_training import FOLDER

    last = sorted((folder / FOLDER).iterdir())[-1]
    truth = {pair.name: pair for pair in hidden}
    count = {0.5: np.zeros(2), 0.75: np.zeros(2)}
    background = np.zeros(2)
    n_true = 0
    for pair in read_round(last).pairs([_Unread()] * len(hidden)):
        y_true, labels = truth[pair.name].read_labels(), pair.read_labels()
        found = matching(y_true, np.maximum(labels, 0), tuple(count))
        for stats in found:
            count[stats.thresh] += stats.tp, stats.n_pred
        n_true += found[0].n_true
        background += ((labels == 0) & (y_true > 0)).sum(), (labels == 0).sum()
    return {
        "precision_50": count[0.5][0] / count[0.5][1],
        "precision_75": count[0.75][0] / count[0.75][1],
        "recall_50": count[0.5][0] / n_true,
        "object_pixels_in_background": background[0] / background[1],
    }


class _Unread:
    """In place of an image that need not be read."""

    name = ""
    read = None


def table(output: Path) -> list[dict[str, Any]]:
    """The results that are there."""
    rows = []
    for path in sorted(output.glob(f"seed*/*/{RESULT}")):
        rows.append(
            {
                "seed": int(path.parts[-3].removeprefix("seed")),
                "training": path.parts[-2],
                **json.loads(path.read_text()),
            }
        )
    (output / TABLE).write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """One line per run, and the mean over seeds where all have the training."""
    print(f"{'training':>16} {'seed':>4}  " + "  ".join(f"AP {iou:<4}" for iou in SHOWN) + "  mean AP")
    for name in dict.fromkeys(row["training"] for row in rows):
        values = []
        for row in rows:
            if row["training"] == name:
                values.append([*(row["ap"][str(iou)] for iou in SHOWN), row["mean_ap"]])
                print(f"{name:>16} {row['seed']:>4}  " + "  ".join(f"{value:7.3f}" for value in values[-1]))
        print(f"{name:>16} mean  " + "  ".join(f"{value:7.3f}" for value in np.mean(values, axis=0)))


def main() -> int:
    """Run what is not there yet, and show what is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train/ and val/, each with images/ and labels/"
    )
    parser.add_argument("--manifest", type=Path, required=True, help="CSV with the columns name and group")
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--epochs", type=int, default=24, help="epochs of 100 steps in all, half of them before the unlabelled images"
    )
    parser.add_argument(
        "--only", choices=(SUPERVISED, "unlabelled", "table"), help="one of the two trainings, or what is there"
    )
    parser.add_argument("--name", default="unlabelled", help="name of training (b)")
    parser.add_argument("--settings", type=json.loads, default={}, help="settings of [training.unlabelled], JSON")
    args = parser.parse_args()
    warnings.simplefilter("ignore")

    from starpoly.network.quiet import quiet_import

    quiet_import()
    from starpoly.training.data import find_pairs

    found = {p.name: p for p in find_pairs(args.data / "train" / "images", args.data / "train" / "labels")}
    val = find_pairs(args.data / "val" / "images", args.data / "val" / "labels")
    with args.manifest.open(newline="", encoding="utf-8") as file:
        groups = {row["name"]: row["group"] for row in csv.DictReader(file)}
    trainings = {SUPERVISED: SUPERVISED, "unlabelled": args.name}
    wanted = [name for kind, name in trainings.items() if args.only in (None, kind)]
    for seed in args.seeds:
        split = split_by_group(sorted(found), groups, seed)
        pairs = {part: [found[name] for name in names] for part, names in split.items()}
        for name in wanted:
            folder = args.output / f"seed{seed}" / name
            if (folder / RESULT).exists():
                continue
            train(folder, pairs, seed, args)
            result = score(folder, pairs["tune"], val)
            if name != SUPERVISED:
                result["pseudo_labels"] = right_labels(folder, pairs["hidden"])
            (folder / RESULT).write_text(json.dumps(result, indent=1) + "\n")
            show(table(args.output))
            sys.stdout.flush()
    show(table(args.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())

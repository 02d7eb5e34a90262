"""Which network, under one budget: a training each, scores on kinds of images that it knows and on kinds that it never saw, and its seconds.

    python benchmarks/networks.py --data DIR --manifest FILE.csv --work DIR --json FILE [--only NAME ...] [--steps 3000] [--seed 11]

Trains each network of `networks.toml` on what `unseen.py` leaves (kinds of tissue, phase contrast, bacteria and endothelium are left out), and scores
it on the validation images that stay and on all images that were left out. A row of the file for each network and kind; a training that was
stopped goes on. ``network_seconds`` are those of the network alone, per megapixel, in the arithmetic that `auto` takes. Valid on an idle machine only.
`tables.py --networks FILE` makes the table of docs/quality.md.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import quality
import unseen
from choices import as_toml

NETWORKS = Path(__file__).with_suffix(".toml")
_EPOCH = 300


def rows_of(name: str, settings: dict[str, Any], kept: Path, left_out: Path, args: Any) -> Iterator[quality.Row]:
    """Train one network, and a row for each kind that it knows and each that it never saw."""
    folder = args.work / name.replace(" ", "-").replace(",", "")
    config = folder.with_suffix(".toml")
    config.write_text("\n".join(as_toml(settings)) + "\n", encoding="utf-8")
    groups = ("--groups", str(args.work / "groups.csv"), "--inspect-every", "0")
    epochs = ("--epochs", str(max(1, args.steps // _EPOCH)), "--steps", str(min(args.steps, _EPOCH)))
    if not (folder / "model.json").exists():
        quality.run_training(kept, folder, config, args.steps, args.seed, *groups, *epochs)
    args.label = name
    model = quality.load(folder, args)
    facts = {"parameters": model._predictor.model.count_params(), "network_seconds": network_seconds(model)}
    for known, args.data in ((True, kept), (False, left_out)):
        for row in quality.scores_of(folder, args):
            yield {**row, **facts, "known": known, "steps": args.steps, "seed": args.seed}


def network_seconds(model: Any, side: int = 1024) -> float:
    """Seconds per megapixel of the network alone, of the fastest of some windows."""
    from speed import in_turns

    window = np.random.default_rng(0).random((1, side, side, model._predictor.model.input_shape[-1]), np.float32)
    (seconds,) = in_turns(lambda: model._predictor(window), runs=5)
    return round(seconds / side**2 * 1e6, 4)


def main() -> int:
    """Train what is missing."""
    parser = quality.trial_parser(__doc__)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=11)
    parser.set_defaults(
        every=1, modality=None, no_refine=False, as_is=False, tta="none", leave_out=list(unseen.LEFT_OUT)
    )
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    kept, left_out = unseen.divide(args)
    unseen.write_groups(args)
    described = tomllib.loads(NETWORKS.read_text(encoding="utf-8"))
    rows = json.loads(args.json.read_text(encoding="utf-8")) if args.json.exists() else []
    done = {(row["label"], row["seed"]) for row in rows}
    for name, network in described["networks"].items():
        if (name, args.seed) not in done and (not args.only or name in args.only):
            settings = {"network": network, "training": described["training"]}
            quality.show_and_keep(rows_of(name, settings, kept, left_out, args), rows, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

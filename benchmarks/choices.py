"""What choices of network and training bring: one short training each, and as many seeds as tell a small difference from chance.

    python benchmarks/choices.py --data DIR --manifest FILE.csv --work DIR --json FILE [--only NAME ...] [--seeds 0 1 2] [--steps 600]

Trains `choices.toml`'s base with each of its named changes for a number of steps, and scores it on the validation images of one kind at the size that
they have (`--modality`, fluorescence unless said otherwise), as `quality.py score` does, thresholds tuned there. A row of the file for each name and
seed; those that are there are not trained again. `tables.py --choices FILE` makes the table of docs/quality.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import quality

CHOICES = Path(__file__).with_suffix(".toml")


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The base, with what the changes say in its place, table by table."""
    result = dict(base)
    for key, value in changes.items():
        result[key] = merged(result.get(key, {}), value) if isinstance(value, Mapping) else value
    return result


def as_toml(settings: Mapping[str, Any], table: str = "") -> Iterator[str]:
    """Lines of TOML for numbers, texts, truth values, and lists and tables of them."""
    if table:
        yield f"[{table}]"
    yield from (f"{key} = {json.dumps(value)}" for key, value in settings.items() if not isinstance(value, Mapping))
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from as_toml(value, f"{table}.{key}".lstrip("."))


def train(name: str, settings: Mapping[str, Any], seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train one choice with one seed, and its row."""
    folder = args.work / f"{name.replace(' ', '-').replace(':', '').replace(',', '')}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder.with_suffix(".toml")
    config.write_text("\n".join(as_toml(settings)) + "\n", encoding="utf-8")
    quality.run_training(args.data, folder, config, args.steps, seed, "--inspect-every", "0")
    args.label = name
    row = next(quality.scores_of(folder, args))
    history = (folder / "training.csv").read_text(encoding="utf-8").splitlines()
    seconds = dict(zip(history[0].split(","), history[-1].split(","), strict=True))["seconds"]
    return {**row, "seed": seed, "steps": args.steps, "training_seconds": round(float(seconds))}


def main() -> int:
    """Train what is missing."""
    parser = quality.trial_parser(__doc__)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--modality", nargs=1, default=["fluorescence"])
    parser.set_defaults(every=1, no_refine=False, as_is=True, tta="none")
    args = parser.parse_args()
    described = tomllib.loads(CHOICES.read_text(encoding="utf-8"))
    rows = json.loads(args.json.read_text(encoding="utf-8")) if args.json.exists() else []
    done = {(row["label"], row["seed"]) for row in rows}
    missing = [
        (seed, name, changes)
        for seed in args.seeds
        for name, changes in described["choices"].items()
        if (name, seed) not in done and (not args.only or name in args.only)
    ]
    found = (train(name, merged(described["base"], changes), seed, args) for seed, name, changes in missing)
    quality.show_and_keep(found, rows, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What rendered patches bring for kinds of images that a network never saw: one training each without these kinds.

    python benchmarks/unseen.py --data DIR --manifest FILE.csv --config FILE.toml --work DIR --json FILE
        [--leave-out KIND ...] [--rendered 0 0.3 0.6] [--steps 3000] [--seed 0]

``--data`` and ``--manifest`` are those of `quality.py`. Images of the kinds to leave out neither train the network nor choose its weights and
thresholds; all of them, those of train/ too, are scored. A row of the file for each share and kind; a training that was stopped goes on.
`tables.py --unseen FILE` makes the table of docs/rendered.md.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import quality

#: Kinds of tissue, phase contrast, bacteria and endothelium in the manifest.
LEFT_OUT = (
    "he_tissue", "purple_tissue", "purple_on_white", "phase_contrast", "phase_contrast_further_frames", "phase_contrast_bacteria",
    "bacteria_brightfield", "bacteria_channel", "bacteria_fluorescence", "endothelium",
)  # fmt: skip


def divide(args: argparse.Namespace) -> tuple[Path, Path]:
    """Folders of links: train/ and val/ of what is left, and val/ of what is left out."""
    from starpoly.io.files.naming import key
    from starpoly.io.files.pairing import image_files

    kinds = kinds_of(args.manifest)
    kept, unseen = args.work / "kept", args.work / "unseen"
    for split in ("train", "val"):
        for part in ("images", "labels"):
            for path in image_files(args.data / split / part):
                kind = kinds.get(key(path))
                if kind is None:
                    continue
                folder = unseen / "val" / part if kind in args.leave_out else kept / split / part
                folder.mkdir(parents=True, exist_ok=True)
                if not (folder / path.name).exists():
                    (folder / path.name).symlink_to(path.resolve())
    return kept, unseen


def kinds_of(manifest: Path) -> dict[str, str]:
    """Kind of each image by name."""
    with manifest.open(newline="", encoding="utf-8") as file:
        return {row["name"]: row["modality"] for row in csv.DictReader(file)}


def write_groups(args: argparse.Namespace) -> Path:
    """The table for `starpoly train --groups`, by kind."""
    path = args.work / "groups.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "group"), *kinds_of(args.manifest).items()])
    return path


def rows_of(share: float, data: Path, unseen: Path, args: argparse.Namespace) -> Iterator[quality.Row]:
    """Train with one share of rendered patches, and a row for each kind that was left out."""
    folder = args.work / f"rendered-{share:g}"
    more = ("--rendered", f"{share:g}", "--groups", str(args.work / "groups.csv"), "--inspect-every", "0")
    quality.run_training(data, folder, args.config, args.steps, args.seed, *more)
    yield from scored(folder, share, unseen, args)


def scored(folder: Path, share: float, unseen: Path, args: argparse.Namespace) -> Iterator[quality.Row]:
    """A row for each kind that was left out."""
    args.data, args.label = unseen, folder.name
    for row in quality.scores_of(folder, args):
        yield {**row, "rendered": share, "steps": args.steps, "seed": args.seed}


def main() -> int:
    """Train what is missing."""
    parser = quality.trial_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--leave-out", nargs="+", default=list(LEFT_OUT), metavar="KIND")
    parser.add_argument("--rendered", nargs="+", type=float, default=[0.0, 0.3, 0.6])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(every=1, modality=None, no_refine=False, as_is=False, tta="none")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    data, unseen = divide(args)
    write_groups(args)
    rows = json.loads(args.json.read_text(encoding="utf-8")) if args.json.exists() else []
    done = {(row["rendered"], row["seed"]) for row in rows}
    for share in args.rendered:
        if (share, args.seed) not in done:
            quality.show_and_keep(rows_of(share, data, unseen, args), rows, args.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

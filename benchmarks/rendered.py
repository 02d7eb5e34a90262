"""What models make of rendered images, kind by kind: where training has not got to yet, without a labelled image.

    python benchmarks/rendered.py MODEL [MODEL ...] [--each 12] [--json FILE]

Each kind of `starpoly.training.rendering` is rendered ``--each`` times, 256 x 256, from seeds that no training draws. A row of the file for each
model and kind, with scores as `quality.py` gives them. A model is a name or a folder, "auto" what the command without options asks.
`tables.py --rendered FILE` makes the table of docs/rendered.md.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import quality

_SEED, _SIDE = 20_261, 256


def rows_of(args: argparse.Namespace) -> Iterator[quality.Row]:
    """A row for each model and kind."""
    from starpoly.training.rendering import kind_names, render_patch

    for name in args.models:
        models = quality.Models(name, args)
        for kind in kind_names():
            samples = []
            for number in range(args.each):
                made = render_patch(np.random.default_rng([_SEED, number]), (_SIDE, _SIDE), kind=kind)
                found = models.of(made.image).predict_instances(made.image)[0]
                samples.append((str(number), made.labels, found))
            yield {**quality.label(name, args), "modality": kind, **quality.row_of(samples)}


def main() -> int:
    """Print a line per row, and write all of them to ``--json``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--each", type=int, default=12, help="images of each kind (default: %(default)s)")
    parser.add_argument("--json", type=Path)
    parser.set_defaults(label=None, no_refine=False, as_is=False, tta="none")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    quality.show_and_keep(rows_of(args), [], args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""AP against seconds per megapixel: which models are quicker than all that are as good?

    python benchmarks/pareto.py --data DIR --manifest FILE.csv --peer STARDIST-FOLDER --json FILE [MODEL ...]

Validation images of fluorescence (every third), from the array to labels, models loaded and warm: each image is segmented twice, and the
second time counts. Models are those that ship, with the sizes that they choose and at the image's own size (`--scale 1`), what the command
without options does ("auto"), StarDist's network in starpoly, and StarDist itself, last: importing it changes TensorFlow's settings.
`tables.py --pareto FILE` makes the table of docs/speed.md. Valid on an idle machine only.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import quality
from numpy.typing import NDArray


def rows_of(args: argparse.Namespace) -> Iterator[quality.Row]:
    """A row for each model and way to run it."""
    from starpoly.model_zoo import available_models

    for name in args.models or available_models():
        model = quality.load(name, args)
        yield from scored(Path(name).name, model.predict_instances, args)
        yield from scored(f"{Path(name).name}, --scale 1", partial(model.predict_instances, scale=1.0), args)
    models = quality.Models("auto", args)
    yield from scored("the command without options", lambda image: models.of(image).predict_instances(image), args)
    if args.peer:
        network = quality.load(args.peer, args)
        yield from scored("StarDist's network in starpoly", partial(network.predict_instances, scale=1.0), args)
        yield from scored("StarDist", quality.stardist_prediction(args.peer), args)


def scored(
    label: str, predict: Callable[[NDArray], tuple[NDArray, object]], args: argparse.Namespace
) -> Iterator[quality.Row]:
    """The row of what predicts labels and details of an image."""
    for pair in quality.pairs_by_modality(args)["fluorescence"]:
        predict(pair.read_image())
    for row in quality.scores(lambda image: predict(image)[0], args):
        yield {"label": label, **row}


def main() -> int:
    """Print a line per row, and write all of them to ``--json``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="holds val/ with images/ and labels/")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--peer", type=Path, help="folder of a StarDist model")
    parser.add_argument("--every", type=int, default=3, help="every N-th image")
    parser.add_argument("--json", type=Path)
    parser.add_argument("models", nargs="*")
    parser.set_defaults(modality=["fluorescence"], no_refine=False, as_is=False, tta="none")
    warnings.simplefilter("ignore")
    args = parser.parse_args()
    quality.show_and_keep(rows_of(args), [], args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

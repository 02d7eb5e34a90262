"""How good a model is: scores by kind of image, scores of rescaled images, and a training under a fixed budget.

    python benchmarks/quality.py score --data DIR --manifest FILE.csv MODEL [MODEL ...] [--json FILE]
    python benchmarks/quality.py peer --data DIR --manifest FILE.csv --modality fluorescence STARDIST-FOLDER [--json FILE]
    python benchmarks/quality.py sizes --data DIR --manifest FILE.csv MODEL [MODEL ...] [--json FILE]
    python benchmarks/quality.py worst --data DIR --manifest FILE.csv MODEL [--json FILE] [--pictures DIR]
    python benchmarks/quality.py train --data DIR --manifest FILE.csv --config FILE.toml -o RUN [--steps N] [--seed N]

``--data`` holds train/{images,labels} and val/{images,labels}; ``--manifest`` has the columns name and modality. A model is a name, or
a folder of starpoly's or StarDist's. ``score`` gives one row per kind of image: AP = TP / (TP + FP + FN) at seven IoU
thresholds, pooled over images, their mean, the challenge's F1, the panoptic quality, and seconds per megapixel in this process.
``peer`` does the same with StarDist itself, as its documentation has it, on images of one channel.
The model "auto" is the one that starpoly chooses for each image. GFLOP are those of the convolutions per megapixel of the image as it
is: an image that is enlarged costs more, as does a first look at its size.
``worst`` lists the images with the lowest AP at IoU 0.5, with what was missed and found wrongly, and draws them for who wants to see them.
``sizes`` resizes the validation images, lets the model find objects there as it would in any image, and scores them at the
original size. ``train`` trains what a settings file says for a number of steps and scores it.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recording import Recording

IOU_THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
FACTORS = (0.35, 0.5, 1.0, 2.0, 3.0)
Row = dict[str, Any]


def pairs_by_modality(args: argparse.Namespace) -> dict[str, list]:
    """The validation pairs of each kind of image; every ``--every``-th of them."""
    from starpoly.training.data import find_pairs

    with args.manifest.open(newline="", encoding="utf-8") as file:
        modality = {row["name"]: row["modality"] for row in csv.DictReader(file)}
    found: dict[str, list] = {}
    for pair in find_pairs(args.data / "val" / "images", args.data / "val" / "labels")[:: args.every]:
        found.setdefault(modality[pair.name], []).append(pair)
    if args.modality:
        found = {name: pairs for name, pairs in found.items() if name in args.modality}
    return found


def row_of(samples: list[tuple[str, NDArray, NDArray]]) -> Row:
    """Scores of label images (name, true, predicted)."""
    from starpoly.evaluation.report import Sample, evaluate

    given = [Sample(*sample) for sample in samples]
    pooled = evaluate(given, IOU_THRESHOLDS).scope("pooled")
    challenge = evaluate(given, (0.5,), protocol="neurips")
    return {
        "images": len(samples),
        "ap": {f"{line.iou:g}": round(line.ap, 4) for line in pooled},
        "mean_ap": round(float(np.mean([line.ap for line in pooled])), 4),
        "pq": round(pooled[0].pq, 4),
        "f1_mean": round(float(challenge.scope("mean")[0].f1), 4),
        "f1_median": round(float(challenge.scope("median")[0].f1), 4),
    }


def score(args: argparse.Namespace) -> Iterator[Row]:
    """A row for each model and kind of image."""
    for name in args.models:
        yield from scores_of(name, args)


def scores_of(name: str | Path, args: argparse.Namespace) -> Iterator[Row]:
    """A row for each kind of image, of one model."""
    models = Models(name, args)
    for row in scores(lambda image: models.of(image).predict_instances(image)[0], args, models.operations):
        yield {**label(name, args), **row}


def peer(args: argparse.Namespace) -> Iterator[Row]:
    """A row for each kind of image, of a model in StarDist itself."""
    for name in args.models:
        predict = stardist_prediction(name)
        for row in scores(lambda image, predict=predict: predict(image)[0], args):
            yield {"label": args.label or "StarDist", "short": True, **row}


def stardist_prediction(folder: str | Path) -> Callable[[NDArray], tuple[NDArray, Any]]:
    """Labels and details of an image by StarDist, as its documentation has it."""
    from csbdeep.utils import normalize
    from peer import stardist_model

    from starpoly.images.channels import as_channels

    model = stardist_model(Path(folder))
    return lambda image: model.predict_instances(normalize(as_channels(image, 1)[..., 0], 1, 99.8))


def scores(
    find: Callable[[NDArray], NDArray], args: argparse.Namespace, operations: Callable[[NDArray], float] | None = None
) -> Iterator[Row]:
    """A row for each kind of image, of whatever makes labels of an image, and says how many megaflop that took."""
    for modality, pairs in pairs_by_modality(args).items():
        samples, seconds, pixels, megaflop = [], 0.0, 0, 0.0
        for pair in pairs:
            image, labels = pair.read_image(), pair.read_labels()
            start = time.perf_counter()
            found = find(image)
            seconds += time.perf_counter() - start
            pixels += labels.size
            megaflop += operations(image) if operations else 0.0
            samples.append((pair.name, labels, found))
        row = {"modality": modality, **row_of(samples), "seconds_per_megapixel": round(seconds / pixels * 1e6, 3)}
        yield row | ({"gflop_per_megapixel": round(megaflop / pixels * 1e3, 1)} if operations else {})


def worst(args: argparse.Namespace) -> Iterator[Row]:
    """The images with the lowest AP at IoU 0.5, worst first."""
    rows = []
    for name in args.models:
        models = Models(name, args)
        for modality, pairs in pairs_by_modality(args).items():
            for pair in pairs:
                image, labels = pair.read_image(), pair.read_labels()
                found, details = models.of(image).predict_instances(image)
                one = {
                    **label(name, args),
                    "name": pair.name,
                    "modality": modality,
                    **row_of([(pair.name, labels, found)]),
                }
                one |= {"true": int(np.count_nonzero(np.bincount(labels[labels > 0]))), "found": int(found.max())}
                rows.append(one | {"scale": round(details["detection"].scale, 2)})
                if args.pictures:
                    draw(args.pictures / f"{rows[-1]['ap']['0.5']:.3f}_{pair.name}.png", image, labels, found)
    yield from sorted(rows, key=lambda row: row["ap"]["0.5"])[: args.most]


def draw(path: Path, image: NDArray, labels: NDArray, found: NDArray) -> None:
    """The image, and matched, false and missed objects on it."""
    from starpoly.plot import figure_png, plot_image, plot_matches

    def both(axes: Any) -> None:
        plot_matches(axes, image, labels, found)

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(figure_png(both, (6, 6), 130))
    path.with_name(f"{path.stem}_image.png").write_bytes(figure_png(lambda axes: plot_image(axes, image), (6, 6), 130))


def sizes(args: argparse.Namespace) -> Iterator[Row]:
    """A row for each model, kind of image and factor by which images are resized."""
    from skimage.transform import resize

    from starpoly.geometry.rasterize import render_labels

    for name in args.models:
        models = Models(name, args)
        for modality, pairs in pairs_by_modality(args).items():
            for factor in args.factors:
                samples = []
                for pair in pairs:
                    image, labels = pair.read_image(), pair.read_labels()
                    shape = tuple(max(8, round(factor * length)) for length in image.shape[:2])
                    small = (
                        image
                        if factor == 1
                        else resize(
                            image, (*shape, *image.shape[2:]), order=1, anti_aliasing=factor < 1, preserve_range=True
                        )
                    )
                    polygons = models.of(small).predict_instances(small)[1]["polygons"]
                    samples.append((pair.name, labels, render_labels(polygons.scale(1 / factor), labels.shape)))
                yield {**label(name, args), "modality": modality, "factor": factor, **row_of(samples)}


def train(args: argparse.Namespace) -> Iterator[Row]:
    """Train, then score; goes on where it was stopped."""
    run_training(args.data, args.output, args.config, args.steps, args.seed)
    args.models = [args.output]
    for row in score(args):
        spec = load(args.output, args).spec
        yield {
            **row,
            "steps": args.steps,
            "seed": args.seed,
            "config": args.config.name,
            "best_epoch": spec.training["best_epoch"],
        }


def trial_parser(doc: str | None) -> argparse.ArgumentParser:
    """The parser of a benchmark that trains and scores, with the options that all of these have."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="holds train/ and val/, each with images/ and labels/")
    for name in ("--manifest", "--work", "--json"):
        parser.add_argument(name, type=Path, required=True)
    return parser


def run_training(data: Path, output: Path, config: Path, steps: int, seed: int, *more: str) -> None:
    """Run `starpoly train` on train/ and val/ of a folder; goes on where it was stopped."""
    train_dir, val_dir = data / "train", data / "val"
    words = [
        sys.executable,
        "-m",
        "starpoly",
        "train",
        "--images",
        train_dir / "images",
        "--masks",
        train_dir / "labels",
    ]
    words += ["--val-images", val_dir / "images", "--val-masks", val_dir / "labels", "-o", output, "--config", config]
    words += ["--epochs", max(1, steps // 100), "--steps", 100, "--seed", seed, "--resume", *more]
    subprocess.run([str(word) for word in words], check=True)


class Models:
    """One model, or those of which starpoly chooses for each image; and what a prediction costs."""

    def __init__(self, name: str | Path, args: argparse.Namespace) -> None:
        self._args, self._loaded = args, []
        self._auto = name == "auto"
        self._choices = None if self._auto else self._load(name)

    def _load(self, name: str | Path) -> Any:
        model = load(name, self._args)
        model.megaflop_per_megapixel = megaflop(model._predictor.model)
        model._predictor = Recording(model._predictor)
        self._loaded.append(model)
        return model

    def of(self, image: NDArray) -> Any:
        """What predicts the objects of an image: the model, or the choice."""
        if not self._auto:
            return self._choices
        from starpoly.io.readers.array import ArraySource
        from starpoly.prediction import models
        from starpoly.prediction.request import PredictionRequest

        self._choices = self._choices or models.Models(None, self._load)
        return self._choices.choose(ArraySource(image), PredictionRequest())

    def operations(self, image: NDArray) -> float:
        """Megaflop that the networks needed, looks included, counted since the last time."""
        total = 0.0
        for model in self._loaded:
            pixels = sum(math.prod(shape[:3]) for shape in model._predictor.shapes)
            model._predictor.shapes.clear()
            total += pixels * 1e-6 * model.megaflop_per_megapixel
        return total


def megaflop(network: Any) -> float:
    """Of the convolutions, per megapixel: a multiplication and an addition are two."""
    import keras

    side, total = 256, 0
    network = keras.models.clone_model(network, input_tensors=keras.Input((side, side, network.input_shape[-1])))
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, filters = layer.output.shape
            total += 2 * height * width * filters * int(np.prod(layer.kernel.shape[:3]))
    return total / side**2


def load(name: str | Path, args: argparse.Namespace) -> Any:
    """A model by name or folder."""
    from starpoly.model import StarPoly2D

    model = StarPoly2D.from_pretrained(name, refine_outlines=not args.no_refine)
    model.predict_instances = partial(model.predict_instances, tta=args.tta)
    if args.as_is:
        model.spec = model.spec.replace(sizes={})
    return model


def label(name: str | Path, args: argparse.Namespace) -> Row:
    """What a row is called in tables; the short ones have none of the variants."""
    return {"label": args.label or Path(name).name, "short": not (args.no_refine or args.as_is or args.tta != "none")}


def show(row: Row) -> None:
    """One line."""
    what = " ".join(
        f"{row[key]}" for key in ("label", "modality", "factor", "name", "true", "found", "scale") if key in row
    )
    print(f"{what:44} {row['images']:3}  " + " ".join(f"{value:.3f}" for value in row["ap"].values()) +
          f"  mean {row['mean_ap']:.3f}  PQ {row['pq']:.3f}  F1 {row['f1_mean']:.3f}/{row['f1_median']:.3f}"
          + (f"  {row['gflop_per_megapixel']:.0f} GFLOP" if "gflop_per_megapixel" in row else ""), flush=True)  # fmt: skip


def show_and_keep(found: Iterable[Row], rows: list[Row], file: Path | None) -> None:
    """A line for each row as it comes, and all of them, those that are there before it too, in a file."""
    for row in found:
        show(row)
        rows.append(row)
        if file:
            file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Print a line per row, and write all of them to ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for function in (score, peer, sizes, worst, train):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        command.add_argument("--data", type=Path, required=True)
        command.add_argument("--manifest", type=Path, required=True)
        command.add_argument("--modality", action="append", help="this kind of images alone; may be repeated")
        command.add_argument("--every", type=int, default=1, help="every N-th image")
        command.add_argument("--no-refine", action="store_true", help="outlines by the rays alone")
        command.add_argument("--as-is", action="store_true", help="images at the size that they have")
        command.add_argument("--tta", default="none", help="flips or all")
        command.add_argument("--label", help="what the rows are called")
        command.add_argument("--json", type=Path)
        if function is train:
            command.add_argument("--config", type=Path, required=True)
            command.add_argument("-o", "--output", type=Path, required=True)
            command.add_argument("--steps", type=int, default=1000)
            command.add_argument("--seed", type=int, default=0)
        else:
            command.add_argument("models", nargs="+")
        if function is sizes:
            command.add_argument("--factors", type=float, nargs="+", default=FACTORS)
        if function is worst:
            command.add_argument(
                "--pictures", type=Path, help="folder for pictures; they show images of others, mind their licences"
            )
            command.add_argument("--most", type=int, default=20)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    show_and_keep(args.function(args), [], args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

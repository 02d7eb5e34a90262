"""How fast the parts of starpoly are, and the whole, against StarDist on the same machine in the same run.

    python benchmarks/speed.py [--only PART,...] [--model NAME] [--threads N] [--peer-model DIR] [--json FILE] [--docs FILE]
    python benchmarks/speed.py --from benchmarks/results/speed.json [--docs docs/speed.md]

Parts: suppression, distances, rendering, matching, training, network, precision, pipeline, folder, mixed, slide. With --json every part is
written when it is done, and one that was measured before stays unless it is measured again, so a run can be split. Both
sides get the same arrays and the same number of threads, are warmed up, and are run in turns; the fastest run of each counts. Candidates
are the true answers for a mosaic of real masks (../shared/data, or where $STARPOLY_SHARED points; drawn ones without)
with 5 % noise. StarDist is the optional extra `peer`, OpenVINO the extra `fast`, ONNX Runtime (part network) the extra
`onnx`; what is missing is left out. The
parts with StarDist's own network need a model folder, --peer-model (../shared/peer/stardist-fluo).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NMS_THRESHOLD = 0.4
MARKS = "<!-- speed -->", "<!-- /speed -->"
DEFAULT = "the command without options"
_STARDIST = "StarDist"

#: A way to segment files: its name, what gives their labels, and the ratio that is aimed at.
Way = tuple[str, Callable[[], list[NDArray]], float | None]


@dataclass(frozen=True)
class Row:
    """One measurement: seconds of starpoly and of the other, the ratio that was aimed at, and what else is to be said."""

    part: str
    case: str
    starpoly: float | None
    peer: float | None = None
    goal: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times as fast."""
        return self.peer / self.starpoly if self.peer and self.starpoly else None


def in_turns(
    *functions: Callable[[], Any] | None, runs: int = 3, budget: float = 20.0, warm: bool = False
) -> list[float | None]:
    """Seconds of the fastest of some runs of each function, in turns; one more before that is not counted, unless ``warm``."""
    best: list[float | None] = [None] * len(functions)
    for function in functions:
        if function is not None and not warm:
            function()
    start = time.perf_counter()
    for run in range(runs):
        if run and time.perf_counter() - start > budget:
            break
        for index, function in enumerate(functions):
            if function is not None:
                begin = time.perf_counter()
                function()
                taken = time.perf_counter() - begin
                best[index] = min(taken, best[index] or taken)
    return best


def has_peer() -> bool:
    """Whether StarDist is installed."""
    return find_spec("stardist") is not None


@lru_cache
def masks() -> list[NDArray]:
    """Label images to make mosaics of, in an order that mixes them."""
    from nms_agreement import default_labels, label_images

    images = list(label_images(default_labels(), None))
    return [images[index] for index in np.random.default_rng(1).permutation(len(images))]


def candidates(side: int) -> Any:
    """Candidates of a mosaic of ``side`` x ``side`` pixels, in score order, which StarDist needs."""
    from nms_agreement import candidates_of, mosaic

    return candidates_of(mosaic(iter(masks()), side))


def _repeated(given: Any, copies: int, step: int) -> Any:
    """Candidates of a mosaic side by side with themselves, in score order."""
    y, x = np.divmod(np.arange(copies), math.ceil(math.sqrt(copies)))
    points = (given.points[None] + step * np.stack([y, x], 1)[:, None]).reshape(-1, 2)
    probabilities = np.tile(given.probabilities, copies)
    order = np.argsort(-probabilities, kind="stable")
    return type(given)(points[order], np.tile(given.distances, (copies, 1))[order], probabilities[order])


def _bandwidth() -> float:
    """Bytes per second that all threads together read and write when they copy."""
    given, out = np.ones((8, 1 << 22)), np.empty((8, 1 << 22))

    def copy() -> None:
        in_parts(lambda start, stop: np.copyto(out[start:stop], given[start:stop]), len(out), n_threads())

    from starpoly.parallel import in_parts, n_threads

    (seconds,) = in_turns(copy)
    return 2 * given.nbytes / seconds


def suppression(options: argparse.Namespace) -> Iterable[Row]:
    """The same candidates, both in score order."""
    from starpoly.suppression.greedy import suppress

    def row(given: Any, case: str, goal: float | None = 8, note: str = "", **how: Any) -> Row:
        theirs = None
        if has_peer():
            from stardist.nms import non_maximum_suppression_inds

            def theirs() -> Any:
                return non_maximum_suppression_inds(
                    given.distances, given.points, given.probabilities, thresh=NMS_THRESHOLD, verbose=0
                )

        seconds, peer = in_turns(lambda: suppress(given, NMS_THRESHOLD), theirs, **how)
        return Row("suppression", case, seconds, peer, goal, f"{1e6 * seconds / len(given):.2f} µs per candidate{note}")

    for side in (512,) if options.quick else (1024, 2048):
        given = candidates(side)
        yield row(given, f"{len(given)} candidates", budget=5)
    if options.quick:
        return
    one_large = type(given)(given.points, given.distances.copy(), given.probabilities)
    one_large.distances[len(given) // 2] = 500
    yield row(one_large, f"{len(given)} candidates, one of them with a radius of 500 pixels", runs=1, warm=True)
    given, bandwidth = candidates(4096), _bandwidth()
    for copies in (1, 4, -(-2_000_000 // len(given))):
        many = _repeated(given, copies, 4096)
        how: dict[str, Any] = {"runs": 1, "warm": True} if copies > 4 else {"runs": 2, "budget": 10, "warm": True}
        result = row(many, f"{len(many)} candidates", **how)
        moved = sum(array.nbytes for array in (many.points, many.distances, many.probabilities))
        note = f"; {moved / 1e6:.0f} MB of candidates, {100 * moved / result.starpoly / bandwidth:.1f} % of what {bandwidth / 1e9:.0f} GB/s of memory allow"
        yield replace(result, note=result.note + note)
    for radius in (10, 100):
        y, x = (index.ravel() for index in np.indices((400, 400)))
        rng = np.random.default_rng(0)
        distances = radius * (1 + 0.05 * rng.standard_normal((len(y), 32)))
        flood = type(given)(np.stack([y, x], 1), distances, rng.random(len(y)))
        (seconds,) = in_turns(lambda flood=flood: suppress(flood, NMS_THRESHOLD), runs=1, warm=True)
        yield Row(
            "suppression",
            f"every pixel of 400 x 400 a star of radius {radius}",
            seconds,
            note=f"{1e6 * seconds / len(y):.2f} µs per candidate",
        )


def distances(options: argparse.Namespace) -> Iterable[Row]:
    """Ray distances of a label image; values are equal."""
    from nms_agreement import mosaic

    from starpoly.geometry.distances import ray_distances

    side = 512 if options.quick else 2048
    labels = mosaic(iter(masks()), side).astype(np.uint16)
    for grid in ((1, 1), (2, 2)):
        theirs = None
        if has_peer():
            from stardist.geometry import star_dist

            def theirs(grid: tuple[int, int] = grid) -> Any:
                return star_dist(labels, 32, grid=grid)

            if not np.array_equal(theirs(), ray_distances(labels, 32, grid)):
                raise SystemExit("speed: expected StarDist's ray distances, got others")
        seconds, peer = in_turns(lambda grid=grid: ray_distances(labels, 32, grid, parallel=True), theirs)
        yield Row("ray distances", f"{side} x {side}, 32 rays, grid {grid[0]}", seconds, peer, 5)


def rendering(options: argparse.Namespace) -> Iterable[Row]:
    """PolygonReceiver polygons to a label image."""
    from starpoly.geometry.rasterize import render_labels
    from starpoly.suppression.greedy import suppress

    side = 512 if options.quick else 2048
    kept, shape, theirs = suppress(candidates(side), NMS_THRESHOLD), (side, side), None
    if has_peer():
        from stardist.geometry import polygons_to_label

        def theirs() -> Any:
            return polygons_to_label(kept.distances, kept.points, shape, prob=kept.probabilities)

    seconds, peer = in_turns(lambda: render_labels(kept, shape), theirs)
    yield Row("rendering", f"{len(kept)} objects, {side} x {side}", seconds, peer, 5)


def matching(options: argparse.Namespace) -> Iterable[Row]:
    """Scores of a label image against itself, moved by two pixels."""
    from nms_agreement import drawn_ellipses, mosaic

    from starpoly.evaluation.metrics import matching as ours

    crowded = [drawn_ellipses(512, seed) for seed in range(8)]
    for side in (512,) if options.quick else (1024, 2048, 10_000):
        true = mosaic(iter(crowded), side)
        moved, theirs, note = np.roll(true, 2, axis=1), None, ""
        if has_peer() and side <= 2048:
            from stardist.matching import matching as their_matching

            def theirs(true: NDArray = true, moved: NDArray = moved) -> Any:
                return their_matching(true, moved, 0.5)

            same = theirs()._asdict()
            same.pop("criterion")
            got = ours(true, moved, 0.5).to_dict()
            if any(abs(got[name] - value) > 1e-6 for name, value in same.items()):
                raise SystemExit("speed: expected StarDist's scores, got others")
        elif has_peer():
            note = "StarDist: a dense matrix of all pairs"
        seconds, peer = in_turns(lambda true=true, moved=moved: ours(true, moved, 0.5), theirs, budget=10)
        yield Row("matching", f"{len(np.unique(true)) - 1} objects, {side} x {side}", seconds, peer, 5, note)


def training(options: argparse.Namespace) -> Iterable[Row]:
    """A batch of four patches with augmentation and targets, in one thread each."""
    from mosaic import Mosaic

    from starpoly.config import NetworkConfig, TrainingConfig
    from starpoly.training.data import TrainingData, array_pairs
    from starpoly.training.patches import PatchSampler

    n = 8 if options.quick else 40
    pictures, masks_of = (np.asarray(Mosaic((480, 480 * n), kind)[:, : 480 * n]) for kind in ("grey", "labels"))
    images = list(pictures.reshape(480, n, 480).swapaxes(0, 1).copy())
    labels = [
        np.unique(part, return_inverse=True)[1].reshape(480, 480)
        for part in masks_of.reshape(480, n, 480).swapaxes(0, 1)
    ]
    sampler = PatchSampler(
        TrainingData(array_pairs(images, labels), n_channels=1), np.full(n, 480 * 480), NetworkConfig(n_rays=32, grid=(2, 2)),
        TrainingConfig(batch_size=4, patch_size=(256, 256)),
    )  # fmt: skip
    theirs = None
    if has_peer():
        from csbdeep.utils import normalize
        from stardist.models.model2d import StarDistData2D

        rng = np.random.default_rng(0)

        def augment(x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
            if rng.random() < 0.5:
                x, y = x[::-1], y[::-1]
            turns = int(rng.integers(4))
            x, y = np.rot90(x, turns), np.rot90(y, turns)
            return x * rng.uniform(0.6, 2) + rng.uniform(-0.2, 0.2) + 0.02 * rng.normal(0, 1, x.shape), y

        generator = StarDistData2D(
            [normalize(image.astype(np.float32), 1, 99.8) for image in images], [label.astype(np.int32) for label in labels],
            batch_size=4, n_rays=32, length=1000, patch_size=(256, 256), grid=(2, 2), augmenter=augment, foreground_prob=0.9,
        )  # fmt: skip

        def theirs() -> None:
            for index in range(10):
                generator[index]

    def ours() -> None:
        for index in range(10):
            sampler.batch(index)

    seconds, peer = in_turns(ours, theirs, runs=5)
    note = "starpoly's with rotation and scaling of every second patch, blur, gamma, noise and foreground; StarDist's with flips, quarter turns and noise"
    yield Row(
        "training data",
        "4 patches of 256 x 256, one thread",
        seconds / 10,
        None if peer is None else peer / 10,
        5,
        note,
    )


def _operations(model: Any, side: int) -> float:
    """Floating-point operations of the convolutions for a window."""
    import tensorflow as tf

    shape = tf.TensorSpec((1, side, side, 1), tf.float32)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(shape).graph
    total = 0.0
    for operation in graph.get_operations():
        if operation.type == "Conv2D":
            total += (
                2.0 * np.prod(operation.inputs[1].shape.as_list()) * np.prod(operation.outputs[0].shape.as_list()[1:3])
            )
    return total


def _product(dtype: str) -> float:
    """GFLOP/s of a large matrix product, of the fastest of some sizes."""
    import tensorflow as tf

    best = 0.0
    for n in (1024, 2048, 4096):
        a, b = (tf.cast(tf.random.normal((n, n)), dtype) for _ in range(2))
        multiply = tf.function(tf.linalg.matmul)
        (seconds,) = in_turns(lambda multiply=multiply, a=a, b=b: multiply(a, b)[0, 0].numpy())
        best = max(best, 2 * n**3 / seconds / 1e9)
    return best


def network(options: argparse.Namespace) -> Iterable[Row]:
    """Networks alone, per megapixel, against Keras's predict with the same network."""
    from starpoly.model_zoo import find_model
    from starpoly.network.engines.registry import is_installed
    from starpoly.network.predictor import Predictor

    side = 1024
    window = np.random.default_rng(0).random((1, side, side, 1), np.float32)
    products = {name: _product(name) for name in ("float32", "bfloat16")}
    models = {name: find_model(name) for name in dict.fromkeys([options.model, "nuclei-fluo"])}
    if options.peer_model:
        models["StarDist's network"] = options.peer_model
    for name, folder in models.items():
        keras_model = Predictor.load(folder, "float32").model
        work = _operations(keras_model, side)
        by_keras = None
        onnx = [("onnx", "float32")] if is_installed("onnx") else []
        for engine, precision in [*arithmetics(), *onnx]:
            predictor = Predictor.load(folder, precision, engine=engine)
            given = None if by_keras else (lambda model=keras_model: model.predict(window, verbose=0))
            seconds, peer = in_turns(lambda predictor=predictor: predictor(window), given)
            by_keras = by_keras or peer
            share = work / seconds / 1e9
            megapixels = side * side / 1e6
            note = f"{share:.0f} GFLOP/s"
            if precision in products:
                note += f", {100 * share / products[precision]:.0f} % of a matrix product in {precision}"
            yield Row(
                "network",
                f"{name}, {engine}, {precision}, per megapixel",
                seconds / megapixels,
                by_keras / megapixels,
                None,
                note,
            )


def engines() -> list[str]:
    """Those that are installed and fast on CPUs, the fastest last."""
    from starpoly.network.engines.registry import is_installed

    return ["tensorflow", *(["openvino"] if is_installed("openvino") else [])]


def arithmetics() -> list[tuple[str, str]]:
    """Each of these engines in each precision that it has."""
    from starpoly.network.engines.registry import ENGINES

    return [(engine, precision) for engine in engines() for precision in ENGINES[engine].precisions]


def precision(options: argparse.Namespace) -> Iterable[Row]:
    """Average precision on the validation images in each arithmetic; no time is taken."""
    from mosaic import _labelled_images, default_images

    from starpoly import StarPoly2D
    from starpoly.evaluation.metrics import matching_dataset

    if default_images() is None:
        return
    data = list(_labelled_images(default_images(), "fluorescence", "val"))
    plain = None
    for engine, numbers in arithmetics():
        model = StarPoly2D.from_pretrained(options.model, precision=numbers, engine=engine)
        found = [model.predict_instances(image)[0] for image, _ in data]
        thresholds = np.round(np.arange(0.5, 0.96, 0.05), 2)
        stats = matching_dataset([labels for _, labels in data], found, thresholds)
        scores = {f"{s.thresh:.2f}": s.accuracy for s in stats}
        mean = float(np.mean(list(scores.values())))
        plain = plain or (scores["0.50"], mean)
        note = f"AP {scores['0.50']:.4f} at IoU 0.5 ({scores['0.50'] - plain[0]:+.4f}), mean 0.5 to 0.95 {mean:.4f} ({mean - plain[1]:+.4f})"
        yield Row("precision", f"{options.model}, {len(data)} validation images, {engine}, {numbers}", None, note=note)


def _stardist(folder: Path) -> Callable[[Path, Path, tuple[int, int] | None], NDArray]:
    """File to label file as StarDist's documentation does it.

    In a process of its own: TensorFlow reads its settings once, and starpoly's (oneDNN on every processor) are not StarDist's.
    """
    from tifffile import imread

    process = ProcessPoolExecutor(1, get_context("spawn"))

    def run(given: Path, result: Path, n_tiles: tuple[int, int] | None) -> NDArray:
        process.submit(_run_stardist, folder, given, result, n_tiles).result()
        return imread(result).astype(np.int32)

    return run


def _run_stardist(folder: Path, given: Path, result: Path, n_tiles: tuple[int, int] | None) -> None:
    """In that process: the model stays loaded."""
    from csbdeep.io import save_tiff_imagej_compatible
    from csbdeep.utils import normalize
    from tifffile import imread

    labels, _ = _loaded_peer(folder).predict_instances(
        normalize(imread(given), 1, 99.8), n_tiles=n_tiles, show_tile_progress=False
    )
    save_tiff_imagej_compatible(str(result), labels, axes="YX")


@lru_cache
def _loaded_peer(folder: Path) -> Any:
    from peer import stardist_model

    return stardist_model(folder)


def _starpoly(folder: str | Path, **how: str) -> Callable[..., NDArray]:
    """File to label file; the seconds of each stage go into a dictionary, where one is given."""
    from starpoly import StarPoly2D

    how = dict(how)
    scale = int(how.pop("scale", 0)) or None
    model = StarPoly2D.from_pretrained(folder, **how)
    return _to_label_file(lambda image: model.predict_instances(image, scale=scale))


def _to_label_file(predict: Callable[[NDArray], Any]) -> Callable[..., NDArray]:
    from starpoly.io.readers.images import read_image
    from starpoly.io.writers.label_tiff import write_labels

    def run(given: Path, result: Path, stages: dict[str, float] | None = None) -> NDArray:
        labels, details = predict(read_image(given))
        write_labels(result, labels)
        if stages is not None:
            stages.update(details["seconds"])
        return labels

    return run


def _default(**how: str) -> Callable[..., NDArray]:
    """File to label file as ``starpoly predict FILE`` without options: model, channels and scale are chosen for each image."""
    from starpoly import StarPoly2D
    from starpoly.io.readers.array import ArraySource
    from starpoly.prediction.models import Models
    from starpoly.prediction.opening import HeldSource
    from starpoly.prediction.request import PredictionRequest

    models = Models(None, lambda folder: StarPoly2D.from_pretrained(folder, **how))

    def predict(image: NDArray) -> Any:
        return models.choose(HeldSource(ArraySource(image)), PredictionRequest()).predict_instances(image)

    return _to_label_file(predict)


def _ours(model: str | Path | None, **how: str) -> Callable[..., NDArray]:
    return _default(**how) if model is None else _starpoly(model, **how)


def _ways(options: argparse.Namespace) -> list[tuple[str, Any, dict[str, str], float | None]]:
    """Which model is run how, and what is aimed at: first the command without options, at last the model at the size that it
    chooses.
    """
    best = engines()[-1]
    ways: list[tuple[str, Any, dict[str, str], float | None]] = [
        (DEFAULT, None, {"engine": engine, "precision": "auto"}, 5 if engine == "tensorflow" else None)
        for engine in engines()
    ]
    if "openvino" in engines():
        ways.append((DEFAULT, None, {"engine": "openvino", "precision": "int8"}, None))
    ways += [
        (
            options.model,
            options.model,
            {"engine": engine, "precision": "auto", "scale": "1"},
            None,
        )
        for engine in engines()
    ]
    if options.peer_model:
        ways += [
            ("StarDist's network", options.peer_model, {"engine": engine, "precision": precision}, 3)
            for precision in ("float32", "bfloat16")
            for engine in engines()
        ]
    return [*ways, (options.model, options.model, {"engine": best, "precision": "auto"}, None)]


def _case(options: argparse.Namespace, name: str, how: dict[str, str]) -> str:
    size = (
        ""
        if name != options.model
        else ", at the size it is"
        if "scale" in how
        else ", at the size that suits the model"
    )
    return f"{name}, {how['engine']}, {how['precision']}{size}"


def pipeline(options: argparse.Namespace) -> Iterable[Row]:
    """A file of 4096 x 4096 to its label file; the other is the faster of StarDist untiled, its default, and in 2 x 2 tiles."""
    from mosaic import Mosaic
    from tifffile import imwrite

    from starpoly.evaluation.metrics import matching as score

    side = options.side
    truth = np.asarray(Mosaic(side, "labels"))
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder, "image.tif"), Path(folder, "labels.tif")
        imwrite(given, np.asarray(Mosaic(side, "grey")), compression="zlib")
        theirs: dict[str, float | None] = {}
        if options.peer_model and has_peer():
            run = _stardist(options.peer_model)
            ap = score(truth, run(given, result, (2, 2)), 0.5).accuracy
            for name, n_tiles in (("StarDist in 2 x 2 tiles", (2, 2)), ("StarDist untiled", None)):
                (theirs[name],) = in_turns(
                    lambda n_tiles=n_tiles: run(given, result, n_tiles), runs=2, budget=10, warm=True
                )
                yield Row("pipeline", f"{side} x {side}, {name}", theirs[name], note=f"AP {ap:.3f} at IoU 0.5")
        for name, model, how, goal in _ways(options):
            ours = _ours(model, **how)
            ap = score(truth, ours(given, result), 0.5).accuracy
            stages: dict[str, float] = {}
            (seconds,) = in_turns(
                lambda ours=ours, stages=stages: ours(given, result, stages), runs=2, budget=5, warm=True
            )
            peer = min((value for value in theirs.values() if value), default=None)
            untiled = theirs.get("StarDist untiled")
            note = f"AP {ap:.3f}; the network works {100 * stages['network'] / seconds:.0f} % of the time"
            note += f"; {untiled / seconds:.1f} times as fast as untiled" if untiled else ""
            case = f"{side} x {side}, {_case(options, name, how)}"
            yield Row("pipeline", case, seconds, peer, goal, note)


def folder(options: argparse.Namespace) -> Iterable[Row]:
    """A hundred files of 512 x 512 to their label files."""
    from mosaic import Mosaic
    from tifffile import imwrite

    n, slide, labels = options.files, Mosaic(5120, "grey"), Mosaic(5120, "labels")
    with tempfile.TemporaryDirectory() as temporary:
        files, truth = [Path(temporary, f"{index}.tif") for index in range(n)], []
        for index, path in enumerate(files):
            y, x = 512 * (index // 10), 512 * (index % 10)
            imwrite(path, np.asarray(slide[y : y + 512, x : x + 512]), compression="zlib")
            truth.append(np.asarray(labels[y : y + 512, x : x + 512]))

        def over(run: Callable[[Path, Path], NDArray]) -> list[NDArray]:
            return [run(path, path.with_suffix(".out")) for path in files]

        ways: list[Way] = [
            (_case(options, name, how), partial(over, _ours(model, **how)), goal)
            for name, model, how, goal in _ways(options)
        ]
        yield from _over_files("folder", f"{n} of 512 x 512", truth, _with_peer(options, over, ways))


def mixed(options: argparse.Namespace) -> Iterable[Row]:
    """Validation images of every kind, as they are, to label files; StarDist takes their luminance."""
    from mosaic import _labelled_images, default_images
    from skimage.color import rgb2gray
    from tifffile import imwrite

    if default_images() is None:
        return
    with open(default_images() / "manifest.csv", newline="", encoding="utf-8") as file:
        kinds = sorted({row["modality"] for row in csv.DictReader(file) if row["split"] == "val"})
    per_kind = 1 if options.quick else 4
    data = [pair for kind in kinds for pair in islice(_labelled_images(default_images(), kind, "val"), per_kind)]
    with tempfile.TemporaryDirectory() as temporary:
        files = [(Path(temporary, f"{i}.tif"), Path(temporary, f"{i}_grey.tif")) for i in range(len(data))]
        for (image, _), (path, grey) in zip(data, files, strict=True):
            imwrite(path, image)
            imwrite(grey, image if image.ndim == 2 else rgb2gray(image[..., :3]).astype(np.float32))

        def over(run: Callable[[Path, Path], NDArray], index: int = 0) -> list[NDArray]:
            return [run(several[index], several[index].with_suffix(".out")) for several in files]

        ways: list[Way] = [
            (f"{DEFAULT}, {engine}", partial(over, _default(engine=engine)), None) for engine in engines()
        ]
        case = f"{len(data)} validation images of {len(kinds)} kinds"
        truth = [labels for _, labels in data]
        yield from _over_files("mixed", case, truth, _with_peer(options, partial(over, index=1), ways))


def _with_peer(
    options: argparse.Namespace, over: Callable[[Callable[[Path, Path], NDArray]], list[NDArray]], ways: list[Way]
) -> list[Way]:
    """StarDist, if it is installed, before starpoly's ways to segment files."""
    if not (options.peer_model and has_peer()):
        return ways
    stardist = _stardist(options.peer_model)
    return [(_STARDIST, partial(over, lambda given, result: stardist(given, result, None)), None), *ways]


def _over_files(part: str, case: str, truth: list[NDArray], ways: list[Way]) -> Iterable[Row]:
    """Rows of ways to segment the same files, the fastest of three passes in turns.

    One pass before them is not counted: an image may ask for a further model, and engines prepare for each size.
    """
    from starpoly.evaluation.metrics import matching_dataset

    found = [matching_dataset(truth, segment(), 0.5).accuracy for _, segment, _ in ways]
    seconds = in_turns(*(segment for _, segment, _ in ways), budget=180, warm=True)
    peer = seconds[0] if ways[0][0] == _STARDIST else None
    for (title, _, goal), taken, ap in zip(ways, seconds, found, strict=True):
        other = None if title == _STARDIST else peer
        yield Row(part, f"{case}, {title}", taken, other, goal, f"AP {ap:.3f} at IoU 0.5 over all objects")


def slide(options: argparse.Namespace) -> Iterable[Row]:
    """A tiled file, from the start of the process to labels and outlines on disk; how much of the time the network works.

    StarDist in tiles of about 1024 pixels, in this process and with its model loaded, writes labels only.
    """
    from mosaic import Mosaic
    from tifffile import imwrite

    side = 5 * options.side // 2
    peer = None
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "slide.tif")
        imwrite(given, np.asarray(Mosaic(side, "grey")), tile=(512, 512), compression="zlib")
        if options.peer_model and has_peer():
            n_tiles = -(-side // 1024)
            begin = time.perf_counter()
            _stardist(options.peer_model)(given, Path(folder, "labels.tif"), (n_tiles, n_tiles))
            peer = time.perf_counter() - begin
            yield Row("slide", f"{side} x {side}, StarDist in {n_tiles} x {n_tiles} tiles", peer)
        for name, how in ((DEFAULT, []), (options.model, ["--model", options.model, "--scale", "1"])):
            out = Path(folder, "out")
            more = ["--format", "geojson", "--provenance", *how]
            command = [sys.executable, "-m", "starpoly", "predict", str(given), "-o", str(out), *more]
            begin = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds = time.perf_counter() - begin
            (record,) = out.glob("*_provenance.json")
            stages = json.loads(record.read_text(encoding="utf-8"))["seconds"]
            shutil.rmtree(out)
            network = next(value for stage, value in stages.items() if stage.rpartition(": ")[2] == "network")
            note = f"the network works {100 * network / seconds:.0f} % of it; {seconds / (side * side / 1e6):.3f} s per megapixel"
            goal = 5 if name == DEFAULT else None
            yield Row("slide", f"{side} x {side}, {name}, start of the process to files", seconds, peer, goal, note)


PARTS: dict[str, Callable[[argparse.Namespace], Iterable[Row]]] = {
    part.__name__: part
    for part in (
        suppression,
        distances,
        rendering,
        matching,
        training,
        network,
        precision,
        pipeline,
        folder,
        mixed,
        slide,
    )
}


def table(result: dict[str, Any]) -> str:
    """The rows as a Markdown table."""
    lines = ["| part | case | starpoly | the other | ratio | goal | |", "|---|---|---|---|---|---|---|"]
    for values in result["rows"]:
        row = Row(**values)
        cells = (
            row.part,
            row.case,
            _seconds(row.starpoly),
            _seconds(row.peer),
            "" if row.ratio is None else f"**{row.ratio:.1f}**",
            "" if row.goal is None else f"{row.goal:g}",
            row.note,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def marks(name: str = "") -> tuple[str, str]:
    """What stands before and after a table in a document; ``name`` is that of a further machine."""
    return (f"<!-- speed: {name} -->", f"<!-- /speed: {name} -->") if name else MARKS


def write_docs(path: Path, result: dict[str, Any], name: str = "") -> None:
    """Put the table between the marks of a document."""
    text = path.read_text(encoding="utf-8")
    begin, end = marks(name)
    body = f"{begin}\n{table(result)}\n\n{result['machine']}\n{end}"
    path.write_text(re.sub(f"{begin}.*?{end}", lambda _: body, text, flags=re.DOTALL), encoding="utf-8")


def _machine(threads: int) -> str:
    """What the figures were measured on, in words."""
    versions = []
    for name in ("starpoly", "stardist", "tensorflow", "openvino", "onnxruntime", "numba", "numpy"):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    processor = platform.machine()
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        processor = found.group(1) if found else processor
    except OSError:
        pass
    return f"{threads} threads on {processor}; {', '.join(versions)}; Python {platform.python_version()}."


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts to measure, of {', '.join(PARTS)}")
    parser.add_argument(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    )
    shared = Path(os.environ.get("STARPOLY_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    default = shared / "peer" / "stardist-fluo"
    parser.add_argument(
        "--peer-model", type=Path, default=default if default.is_dir() else None, help="StarDist model folder"
    )
    parser.add_argument("--side", type=int, default=4096, help="side of the pipeline's image (default: %(default)s)")
    parser.add_argument(
        "--model", default=_fast_model(), help="starpoly's own model, by name or folder (default: %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small arrays, to see whether a part still does what it should"
    )
    parser.add_argument(
        "--files", type=int, default=100, help="files of the folder, at most 100 (default: %(default)s)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the rows; parts that are in FILE and not measured now stay"
    )
    parser.add_argument(
        "--from", type=Path, dest="source", metavar="FILE", help="measure nothing, take the rows of FILE"
    )
    parser.add_argument("--docs", type=Path, metavar="FILE", help="put the table into this document")
    parser.add_argument(
        "--machine", default="", metavar="NAME", help="put it where the document has the table of a further machine"
    )
    options = parser.parse_args(arguments)
    parts = options.only.split(",")
    if not set(parts) <= set(PARTS):
        parser.error(f"--only: expected some of {', '.join(PARTS)}, got {options.only}")
    if options.source:
        result = json.loads(options.source.read_text(encoding="utf-8"))
    else:
        result = _measure(parts, options)
    if options.docs:
        write_docs(options.docs, result, options.machine)
    print(table(result))
    return 0


def _fast_model() -> str:
    """The fastest of the shipped models for nuclei in fluorescence."""
    small = Path(__file__).resolve().parents[1] / "models" / "nuclei-fluo-small"
    return small.name if small.is_dir() else "nuclei-fluo"


def _measure(parts: list[str], options: argparse.Namespace) -> dict[str, Any]:
    # libraries read these when they are loaded
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1" if parts == ["training"] else str(options.threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows: dict[str, list[dict[str, Any]]] = {}
    if options.json and options.json.exists():
        for row in json.loads(options.json.read_text(encoding="utf-8"))["rows"]:
            rows.setdefault(_PART_OF.get(row["part"], row["part"]), []).append(row)
    for part in parts:
        if part == "training" and len(parts) > 1:
            rows[part] = _alone(part, options)
            _keep(rows, options)
            continue
        rows[part], begin = [], time.perf_counter()
        for row in PARTS[part](options):
            print(
                f"{row.part}: {row.case}: {_seconds(row.starpoly)}, {_seconds(row.peer)}; {row.note}",
                file=sys.stderr,
                flush=True,
            )
            rows[part].append(asdict(row))
        print(f"{part}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
        _keep(rows, options)
    return _result(rows, options)


def _result(rows: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> dict[str, Any]:
    return {"machine": _machine(options.threads), "rows": [row for part in PARTS for row in rows.get(part, [])]}


def _keep(rows: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> None:
    """Write what has been measured so far."""
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_result(rows, options), indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")


def _alone(part: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure a part in a process of its own, which is told the number of threads when it starts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.json")
        command = [
            sys.executable,
            __file__,
            "--only",
            part,
            "--json",
            str(path),
            *(["--quick"] if options.quick else []),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads(path.read_text(encoding="utf-8"))["rows"]


_PART_OF = {"ray distances": "distances", "training data": "training"}

if __name__ == "__main__":
    sys.exit(main())

"""What a GPU brings: seconds of the whole against those of the network alone, with the card's name and its memory.

    python benchmarks/gpu.py [--side 4096] [--engine NAME ...] [--limit 10] [--json FILE] [MODEL ...]
    KERAS_BACKEND=jax python benchmarks/gpu.py --engine keras          # compiled by XLA, without TensorFlow
    python benchmarks/gpu.py --cpu --side 512                          # to try the script where there is no GPU

Each model segments a mosaic of real nuclei (benchmarks/mosaic.py) from array to labels, and a hundred pieces of 512 x 512 one
after the other. Then the network alone is given windows of the same shapes. Both are warm, run in turns, and the fastest of
three counts. The goal is a ratio of at most 1.3 within --limit GB of the card's memory, as the challenge allows. Engines that
are not installed are left out; ONNX Runtime uses a GPU as `onnxruntime-gpu`. Valid on an idle machine only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recording import Recording
from speed import in_turns

GOAL = 1.3
_EVERY = 0.1  # seconds between looks at the card's memory
_PIECE = 512


def card() -> tuple[str, float] | None:
    """Name and gigabytes of the first NVIDIA card; None without one."""
    try:
        (line, *_) = _ask("name,memory.total")
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    name, megabytes = line.rsplit(", ", 1)
    return name, float(megabytes) / 1024


def _ask(what: str) -> list[str]:
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@contextmanager
def peak_memory(shown: bool) -> Iterator[list[float]]:
    """Gigabytes of the card in use at most, as the only item of a list once the block is left."""
    found: list[float] = []
    looks: list[float] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_EVERY):
            looks.append(float(_ask("memory.used")[0]) / 1024)

    thread = threading.Thread(target=look, daemon=True)
    if shown:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        if shown:
            thread.join()
            found.append(max(looks, default=0.0))


def bound_memory(gigabytes: float, total: float) -> None:
    """Let the backend use so much of the card, before anything is computed on it."""
    os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{min(0.95, gigabytes / total):.3f}"
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        limit = tf.config.LogicalDeviceConfiguration(memory_limit=int(gigabytes * 1024))
        tf.config.set_logical_device_configuration(device, [limit])


def measured(name: str, engine: str, images: dict[str, list[NDArray]], *, on_card: bool) -> Iterator[dict[str, Any]]:
    """A row for each set of images: seconds of the whole and of the network alone, per megapixel."""
    from starpoly.model import StarPoly2D

    model = StarPoly2D.from_pretrained(name, engine=engine)
    network = model._predictor
    for case, given in images.items():
        model._predictor = recording = Recording(network)
        with peak_memory(on_card) as peak:
            n_objects = sum(int(model.predict_instances(image, scale=1.0)[0].max()) for image in given)
            rng = np.random.default_rng(0)
            windows = {shape: rng.random(shape, np.float32) for shape in set(recording.shapes)}
            model._predictor = network
            whole, alone = in_turns(
                lambda given=given: [model.predict_instances(image, scale=1.0) for image in given],
                lambda shapes=tuple(recording.shapes), windows=windows: [network(windows[shape]) for shape in shapes],
            )
        assert whole is not None
        assert alone is not None
        megapixels = sum(image.shape[0] * image.shape[1] for image in given) / 1e6
        yield {
            "model": Path(name).name,
            "engine": network.engine,
            "precision": network.precision,
            "case": case,
            "objects": n_objects,
            "windows": len(recording.shapes),
            "seconds_per_megapixel": whole / megapixels,
            "network_alone": alone / megapixels,
            "ratio": whole / alone,
            "card_gigabytes": peak[0] if peak else None,
        }


def main(argv: list[str] | None = None) -> int:
    """Print a line per row, and write all of them to ``--json``; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", help="default: cells-fast, cells-generalist and nuclei-fluo-small")
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--files", type=int, default=100, help="pieces of 512 x 512")
    parser.add_argument("--engine", action="append", help="default: tensorflow and onnx")
    parser.add_argument("--limit", type=float, default=10.0, help="GB of the card's memory (default: %(default)s)")
    parser.add_argument("--cpu", action="store_true", help="try the script without a GPU")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    found = card()
    if found is None and not args.cpu:
        parser.error("expected a GPU with nvidia-smi, got none; --cpu tries the script on the processor")
    if found is not None:
        bound_memory(args.limit, found[1])
    from mosaic import Mosaic

    from starpoly.network.engines.registry import is_installed

    slide = np.asarray(Mosaic(args.side, "grey")[: args.side, : args.side])
    places = [(y, x) for y in range(0, args.side, _PIECE) for x in range(0, args.side, _PIECE)]
    pieces = [slide[y : y + _PIECE, x : x + _PIECE] for y, x in (places * args.files)[: args.files]]
    images = {f"{args.side} x {args.side}": [slide], f"{args.files} of {_PIECE} x {_PIECE}": pieces}
    rows = []
    print(f"on {found[0] if found else 'the processor'}")
    for engine in filter(is_installed, args.engine or ("tensorflow", "onnx")):
        for name in args.models or ("cells-fast", "cells-generalist", "nuclei-fluo-small"):
            for row in measured(name, engine, images, on_card=found is not None):
                rows.append(row)
                fits = row["card_gigabytes"] is None or row["card_gigabytes"] <= args.limit
                row["passed"] = row["ratio"] <= GOAL and fits
                memory = "" if row["card_gigabytes"] is None else f", {row['card_gigabytes']:.1f} GB of the card"
                print(
                    f"{'PASS' if row['passed'] else 'FAIL'} {row['model']}, {row['engine']}, {row['case']}: "
                    f"{row['seconds_per_megapixel']:.3f} s/megapixel, network alone {row['network_alone']:.3f}, "
                    f"ratio {row['ratio']:.2f}{memory}",
                    flush=True,
                )
    if args.json:
        result = {"card": None if found is None else found[0], "limit_gigabytes": args.limit, "rows": rows}
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(not all(row["passed"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())

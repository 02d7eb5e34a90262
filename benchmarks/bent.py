"""Objects that are no stars: made worms, bent and elongated, found by polygons alone and with masks grown into the foreground.

    python benchmarks/bent.py --work DIR [--steps 1200] [--seed 0] [--json FILE]

Makes images of bent rods (arcs of up to 200 degrees, three to eight times as long as wide, some touching), trains a small network on most of them and
scores the rest: the truth turned into rays and back, the network's polygons by the rays alone and refined, and masks that spread from these over
the foreground (`--spread`). A training that was stopped goes on, one that is finished is not repeated.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import quality
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 320
IMAGES = {"train": 80, "val": 20}
BENDS = {"straight": (0.0, 0.1), "bent": (1.2, 2.2), "curled": (2.6, 3.5)}  # radians
SPREADS = (4, 16, 48)  # pixels
SETTINGS = """[network]
n_channels = 1
base_filters = 16

[training]
precision = "bfloat16"
warmup_steps = 100
foreground_weight = 3.0

[training.augment]
warp_probability = 0.4
scale = [0.75, 1.4]
gain = [0.8, 1.3]
"""


def worms(seed: int, n_objects: int = 26) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """An image of bright rods on a dark ground, blurred and noisy, and its labels."""
    rng = np.random.default_rng(seed)
    labels, light = np.zeros((SIDE, SIDE), np.uint16), np.zeros((SIDE, SIDE))
    for label in range(1, n_objects + 1):
        for _ in range(30):
            rod = a_rod(rng)
            if (labels[rod] == 0).mean() > 0.97 and rod.sum() > 50:
                free = rod & (labels == 0)
                labels[free], light[free] = label, rng.uniform(0.5, 1.0)
                break
    photons = 300 * (ndimage.gaussian_filter(light, 1.0) + 0.1)
    return rng.poisson(photons).astype(np.uint16), labels


def a_rod(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Pixels of a rod along an arc."""
    width = rng.uniform(9, 15)
    length = width * rng.uniform(3, 8)
    bend = rng.uniform(*BENDS[rng.choice(list(BENDS))])
    heading, steps = rng.uniform(0, 2 * np.pi), int(length)
    angles = heading + bend * np.arange(steps) / steps
    along = np.cumsum(np.stack([np.sin(angles), np.cos(angles)], 1), 0)
    along += rng.uniform(0, SIDE, 2) - along.mean(0)
    near = np.ones((SIDE, SIDE), bool)
    inside = np.round(along).astype(int)
    inside = inside[((inside >= 0) & (inside < SIDE)).all(1)]
    near[inside[:, 0], inside[:, 1]] = False
    return ndimage.distance_transform_edt(near) <= width / 2 if len(inside) else ~near


def make(work: Path) -> None:
    """Write all images and labels."""
    import tifffile

    for part, (name, n) in enumerate(IMAGES.items()):
        for kind in ("images", "labels"):
            (work / name / kind).mkdir(parents=True, exist_ok=True)
        for index in range(n):
            image, labels = worms(1000 * part + index)
            tifffile.imwrite(work / name / "images" / f"{index:03}.tif", image)
            tifffile.imwrite(work / name / "labels" / f"{index:03}.tif", labels, compression="zlib")


def rows(model: Path, work: Path) -> Iterator[dict[str, Any]]:
    """Scores of every way to masks."""
    from starpoly.evaluation.reconstruction import reconstruct
    from starpoly.model import StarPoly2D
    from starpoly.training.data import find_pairs

    pairs = find_pairs(work / "val" / "images", work / "val" / "labels")
    by_rays, by_both = (StarPoly2D.from_pretrained(model, refine_outlines=refined) for refined in (False, True))
    found: dict[str, Callable[[NDArray, NDArray], NDArray]] = {
        "the truth as 32 rays": lambda image, labels: reconstruct(labels, 32)[0],
        "polygons, rays alone": lambda image, labels: by_rays.predict_instances(image)[0],
        "polygons": lambda image, labels: by_both.predict_instances(image)[0],
    }
    for pixels in SPREADS:
        found[f"masks, --spread {pixels}"] = lambda image, labels, pixels=pixels: by_both.predict_instances(
            image, expand_into_foreground=pixels
        )[0]
    for name, find in found.items():
        samples = [(pair.name, pair.read_labels(), find(pair.read_image(), pair.read_labels())) for pair in pairs]
        yield {"label": name, "modality": "made_rods", "short": False, **quality.row_of(samples)}


def main() -> int:
    """Make, train, score."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    make(args.work)
    config, model = args.work / "bent.toml", args.work / "model"
    config.write_text(SETTINGS, encoding="utf-8")
    quality.run_training(args.work, model, config, args.steps, args.seed, "--inspect-every", "0")
    quality.show_and_keep(rows(model, args.work), [], args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Hold starpoly against StarDist with StarDist's own network, on real images.

For every image both programs find instances with the same weights. Printed is the share of objects that do
not touch the image's border (StarDist drops candidates within two grid cells of it) which have a partner
with an IoU of at least 0.9 in the other's result, both ways, and the largest difference of probabilities and
distances between the two networks.

    python benchmarks/stardist_agreement.py --model MODELDIR --images DIR [--limit N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MIN_IOU = 0.9


def touching_border(labels: NDArray) -> NDArray:
    """Ids of the objects with a pixel in the outermost rows or columns."""
    frame = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.unique(frame[frame > 0])


def partnered(first: NDArray, second: NDArray) -> tuple[int, int]:
    """How many objects of ``first`` off the border have a partner in ``second``, and how many there are."""
    from starpoly.evaluation.label_overlaps import overlaps

    table = overlaps(first, second)
    best = np.zeros(table.n_true)
    np.maximum.at(best, table.true_index, table.scores("iou"))
    inside = ~np.isin(table.true_labels, touching_border(first))
    return int((best[inside] >= MIN_IOU).sum()), int(inside.sum())


def compare(model_folder: Path, images: list[Path]) -> dict[str, float]:
    """Totals over images."""
    from csbdeep.utils import normalize
    from stardist.models import StarDist2D

    from starpoly import StarPoly2D
    from starpoly.io.readers.images import read_image

    theirs = StarDist2D(None, name=model_folder.name, basedir=str(model_folder.parent))
    ours = StarPoly2D.from_pretrained(model_folder)
    total = {"theirs": 0, "theirs_found": 0, "ours": 0, "ours_found": 0}
    largest = {"probability": 0.0, "distance": 0.0}
    for path in images:
        image = read_image(path)
        normalized = normalize(image, 1, 99.8)
        y_theirs, _ = theirs.predict_instances(normalized, verbose=False, show_tile_progress=False)
        y_ours, _ = ours.predict_instances(image)
        found, n = partnered(y_theirs.astype(np.int64), y_ours.astype(np.int64))
        total["theirs_found"] += found
        total["theirs"] += n
        found, n = partnered(y_ours.astype(np.int64), y_theirs.astype(np.int64))
        total["ours_found"] += found
        total["ours"] += n
        probability, distances = theirs.predict(normalized, show_tile_progress=False)[:2]
        maps = ours.predict_map(image)
        largest["probability"] = max(largest["probability"], float(np.abs(maps.probability - probability).max()))
        largest["distance"] = max(largest["distance"], float(np.abs(maps.distances - distances).max()))
    return {
        **total,
        "share_of_theirs_in_ours": total["theirs_found"] / total["theirs"],
        "share_of_ours_in_theirs": total["ours_found"] / total["ours"],
        **{f"largest_difference_{name}": value for name, value in largest.items()},
    }


def main() -> int:
    """Run the comparison and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder written by StarDist 2D")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="images, or folders of images")
    parser.add_argument("--limit", type=int, help="use only the first N images")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    from starpoly.io.files.find import find_images

    images = [found.path for found in find_images(args.images).images][: args.limit]
    figures = compare(args.model, images)
    print(f"{len(images)} images, objects off the border: {figures['theirs']} (StarDist), {figures['ours']} (starpoly)")
    for name in ("share_of_theirs_in_ours", "share_of_ours_in_theirs"):
        print(f"{name.replace('_', ' ')} (IoU >= {MIN_IOU}): {100 * figures[name]:.2f} %")
    for name in ("probability", "distance"):
        print(f"largest difference of {name}: {figures[f'largest_difference_{name}']:.2e}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

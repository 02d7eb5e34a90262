"""Images for trying a container, and a look at what it made of them. Runs inside the image, with the image's own Python.

python samples.py write FOLDER           images of many kinds, and files that are none
python samples.py check INPUTS OUTPUTS   whether the labels of those are there, and as they should be
python samples.py slide FILE H W         one large RGB image
python samples.py describe OUTPUTS       what is in label images, as JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from scipy import ndimage

#: name of the file, name of its labels, their shape and the least number of objects; None: no labels
EXPECTED = [
    ("grey.png", "grey_label.tiff", (300, 260), 20),
    ("rgb.PNG", "rgb_label.tiff", (300, 260), 20),
    ("deep.tif", "deep_label.tiff", (300, 260), 20),
    ("deep colour.tiff", "deep colour_label.tiff", (300, 260), 20),
    ("photo.jpg", "photo_label.tiff", (300, 260), 20),
    ("old.bmp", "old_label.tiff", (300, 260), 20),
    ("first.of.many.tif", "first_label.tiff", (200, 200), 5),
    ("Zähl ung.png", "Zähl ung_label.tiff", (300, 260), 20),
    ("black.png", "black_label.tiff", (300, 260), 0),
    ("floats.tif", "floats_label.tiff", (300, 260), 20),
    ("cut short.png", "cut short_label.tiff", (300, 260), 0),
    ("nothing.png", None, None, None),
    (".DS_Store", None, None, None),
    ("Thumbs.db", None, None, None),
]
_SIDE = 256  # of the pieces that a slide is made of
_LARGEST = 400  # pixels; an object that is larger is several with one id


def cells(shape: tuple[int, int], seed: int, spacing: int = 26) -> np.ndarray:
    """Bright discs of mixed sizes in rows on dark, noisy ground, uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = np.zeros(shape)
    for cy in range(spacing // 2, shape[0], spacing):
        for cx in range(spacing // 2, shape[1], spacing):
            radius = rng.uniform(6, 10)
            distance = np.hypot(y - cy - rng.uniform(-2, 2), x - cx - rng.uniform(-2, 2))
            picture = np.maximum(picture, rng.uniform(120, 200) * (distance < radius))
    return (ndimage.gaussian_filter(picture, 1) + rng.normal(20, 3, shape)).clip(0, 255).astype(np.uint8)


def write(folder: Path) -> None:
    """Write a file of each kind."""
    grey = cells((300, 260), 1)
    colour = np.stack([grey // 2, grey // 3, grey], axis=-1)
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(colour).save(folder / "rgb.PNG")
    tifffile.imwrite(folder / "deep.tif", grey.astype(np.uint16) * 16, compression="zlib")
    tifffile.imwrite(folder / "deep colour.tiff", colour.astype(np.uint16) * 200, photometric="rgb")
    Image.fromarray(colour).save(folder / "photo.jpg", quality=95)
    Image.fromarray(grey).save(folder / "old.bmp")
    tifffile.imwrite(folder / "first.of.many.tif", cells((200, 200), 2))
    Image.fromarray(grey).save(folder / "Zähl ung.png")
    Image.fromarray(np.zeros_like(grey)).save(folder / "black.png")
    floats = grey / 255
    floats[0, 0] = np.nan
    tifffile.imwrite(folder / "floats.tif", floats)
    whole = (folder / "grey.png").read_bytes()
    (folder / "cut short.png").write_bytes(whole[: len(whole) // 2])
    for name in ("nothing.png", ".DS_Store", "Thumbs.db"):
        (folder / name).write_bytes(b"")
    (folder / "more").mkdir()
    Image.fromarray(grey).save(folder / "more" / "deeper.png")


def check(inputs: Path, outputs: Path) -> list[str]:
    """What is wrong with the outputs; only the files that are among the inputs are expected."""
    present = {path.name for path in inputs.iterdir()}
    expected = [row for row in EXPECTED if row[0] in present]
    problems = []
    for source, name, shape, least in expected:
        if name is None:
            continue
        if not (outputs / name).is_file():
            problems.append(f"{source}: expected {name}, got no such file")
            continue
        labels = tifffile.imread(outputs / name)
        found = describe(labels)
        if labels.shape != shape or labels.dtype != np.uint16:
            problems.append(f"{source}: expected uint16 {shape}, got {labels.dtype} {labels.shape}")
        if not found["consecutive"] or found["objects"] < least:
            problems.append(f"{source}: expected ids 1..n, n >= {least}, got {found}")
    strays = {path.name for path in outputs.rglob("*")} - {row[1] for row in expected}
    return problems + [f"expected nothing else in the output folder, got {name}" for name in sorted(strays)]


def describe(labels: np.ndarray) -> dict[str, object]:
    """Number of objects, dtype, and whether ids are 1..n, each of them one object."""
    ids = np.unique(labels[labels > 0])
    sides = [
        max(part.stop - part.start for part in box) for box in ndimage.find_objects(labels.astype(np.int32)) if box
    ]
    return {
        "shape": list(labels.shape),
        "dtype": str(labels.dtype),
        "objects": len(ids),
        "consecutive": bool(len(ids) == 0 or (ids[0] == 1 and ids[-1] == len(ids))),
        "unique": bool(max(sides, default=0) <= _LARGEST),  # ids that begin again in every window span the image
        "largest_side": max(sides, default=0),
    }


def slide(path: Path, height: int, width: int) -> None:
    """Write a large RGB TIFF of pieces that repeat, row of pieces by row of pieces."""
    pieces = [cells((_SIDE, _SIDE), seed) for seed in range(8)]
    rng = np.random.default_rng(0)

    def strips():
        for _ in range(0, height, _SIDE):
            row = np.concatenate([pieces[rng.integers(len(pieces))] for _ in range(0, width, _SIDE)], axis=1)[:, :width]
            yield from np.stack([row // 2, row // 3, row], axis=-1)

    lines = np.stack([line for line, _ in zip(strips(), range(height), strict=False)])
    tifffile.imwrite(path, lines, photometric="rgb", rowsperstrip=64)


def main() -> int:
    """Do what the arguments say."""
    action, *words = sys.argv[1:]
    if action == "write":
        write(Path(words[0]))
    elif action == "slide":
        slide(Path(words[0]), int(words[1]), int(words[2]))
    elif action == "describe":
        found = {path.name: describe(tifffile.imread(path)) for path in sorted(Path(words[0]).glob("*_label.tiff"))}
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        problems = check(Path(words[0]), Path(words[1]))
        sys.stdout.writelines(f"{problem}\n" for problem in problems)
        return int(bool(problems))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Makes the figures of gallery.md and rendered.md: runs their Python and saves the figure of each block that a picture follows.

    python docs/gallery.py [--output docs/images/gallery] [--no-report]

The picture of the report is a screenshot and needs Chromium; without it, the one that is there stays.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n!\[[^\]]*\]\(images/(?:gallery/)?([\w-]+\.png)\))?", re.DOTALL)
_DPI = 80
#: of a picture of noisy images, which would take a megabyte otherwise
_COLOURS = 256
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The code of a page, and the name of the picture that follows it, or none."""
    for found in _BLOCK.finditer(text):
        yield found[1], found[2] or ""


def draw(output: Path, page: Path = HERE / "gallery.md", colours: int | None = None) -> list[str]:
    """Run a page's code and save its figures, in so many colours; returns their names."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn, names = [], {}
    for code, name in blocks(page.read_text(encoding="utf-8")):
        exec(compile(code, str(page), "exec"), names)
        if name:
            stream = io.BytesIO()
            plt.gcf().savefig(stream, dpi=_DPI)
            save_small(stream, output / name, colours)
            drawn.append(name)
        plt.close("all")
    return drawn


def save_small(picture: Any, path: Path, colours: int | None = None) -> None:
    """Save a picture without what does not show, such as its alpha channel; noisy ones in few colours."""
    from PIL import Image

    image = Image.open(picture).convert("RGB")
    (image if colours is None else image.quantize(colours, dither=Image.Dither.NONE)).save(path, optimize=True)


def draw_report(path: Path) -> None:
    """A screenshot of the report about some generated images, one of them dark and one empty."""
    import numpy as np
    import tifffile

    from starpoly.training.samples import generate_nuclei

    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print(f"{path.name}: Chromium is not here, the picture stays as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        images, results = Path(folder) / "images", Path(folder) / "results"
        images.mkdir()
        for seed in range(6):
            tifffile.imwrite(
                images / f"well_{'ABC'[seed // 2]}{seed % 2 + 1}.tif",
                generate_nuclei(seed, n_objects=20 + 8 * seed).image,
            )
        tifffile.imwrite(images / "well_D1.tif", np.full((256, 256), 100, np.uint16))
        words = [
            sys.executable,
            "-m",
            "starpoly",
            "predict",
            images,
            "-o",
            results,
            "--table",
            "--report",
            "--model",
            "nuclei-fluo",
        ]
        subprocess.run([str(word) for word in words], check=False, capture_output=True)
        shot = Path(folder) / "report.png"
        flags = ["--headless", "--disable-gpu", "--hide-scrollbars", "--window-size=1150,1000", f"--screenshot={shot}"]
        if getattr(os, "getuid", lambda: 1)() == 0:
            flags.append("--no-sandbox")  # root is refused one; the page is ours
        subprocess.run([browser, *flags, (results / "report.html").as_uri()], check=True, capture_output=True)
        save_small(shot, path)


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE / "images" / "gallery", help="folder of the pictures")
    parser.add_argument("--no-report", action="store_true", help="leave out the screenshot of the report")
    args = parser.parse_args()
    output = args.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name in (*draw(output), *draw(output.parent, HERE / "rendered.md", _COLOURS)):
            print(name)
    if not args.no_report:
        draw_report(output / "report.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``starpoly demo``: segment real nuclei and cells, with labels, overlays and tables."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELP = "segment a few real images of nuclei and cells (no download)"
EXAMPLE = "starpoly demo -o outputs/"

#: Images of DSB2018 (BBBC038, CC0 1.0) that ship with starpoly; NOTICE names them.
IMAGES = Path(__file__).parents[1] / "demo_images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("outputs"), help="folder for the results (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the demo images to ``<output>/images``, then run ``starpoly predict`` on them."""
    from . import predict

    images = args.output / "images"
    write_demo_images(images)
    # parse a real command line: the demo does exactly what predict does
    parser = argparse.ArgumentParser(prog="starpoly predict")
    predict.add_arguments(parser)
    arguments = [str(images), "-o", str(args.output), "--overlay", "--table"]
    return predict.run(parser.parse_args(arguments, namespace=argparse.Namespace(**vars(args))))


def demo_images() -> dict[str, NDArray[np.uint8]]:
    """Real images of nuclei and cells, by name. All ship with starpoly or scikit-image.

    Returns
    -------
    dict of str to (height, width) or (height, width, 3) uint8
        From DSB2018: two of nuclei in fluorescence, two of stained nuclei in colour (a smear, a tissue) and one of
        cells in brightfield. From scikit-image: ``ihc_haematoxylin``, the nuclear stain of a colon section
        (immunohistochemistry, colour deconvolution after Ruifrok & Johnston 2001), and ``phase_cell``, one cell in
        suspension (quantitative phase).
    """
    import numpy as np
    from PIL import Image
    from skimage import data

    shipped = {path.stem: np.asarray(Image.open(path)) for path in sorted(IMAGES.glob("*.png"))}
    return {**shipped, "ihc_haematoxylin": _haematoxylin(data.immunohistochemistry()), "phase_cell": data.cell()}


def _haematoxylin(section: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The blue stain of an RGB image, bright on dark, stretched to 0..255."""
    import numpy as np
    from skimage import color

    stain = color.rgb2hed(section)[..., 0]
    low, high = np.percentile(stain, (1, 99.8))
    return np.round(255 * np.clip((stain - low) / (high - low), 0, 1)).astype(np.uint8)


def write_demo_images(folder: Path) -> list[Path]:
    """Write the demo images to ``folder`` as PNG; create the folder if needed.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    from PIL import Image

    from ..io.files.atomic import make_folder, new_file

    remedy = "choose another folder with -o"
    make_folder(folder, remedy)
    paths = []
    for name, pixels in demo_images().items():
        paths.append(folder / f"{name}.png")
        with new_file(paths[-1], remedy) as temporary:
            Image.fromarray(pixels).save(temporary, format="PNG")
    return paths

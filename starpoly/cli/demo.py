"""``starpoly demo``: segment the real images that come with scikit-image, with labels and overlays."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELP = "segment a few real images that scikit-image brings along (no download)"


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
    # the same command as a user would type, so that the demo shows exactly what predict does
    parser = argparse.ArgumentParser(prog="starpoly predict")
    predict.add_arguments(parser)
    arguments = [str(images), "-o", str(args.output), "--overlay", "--table"]
    return predict.run(parser.parse_args(arguments, namespace=argparse.Namespace(**vars(args))))


def demo_images() -> dict[str, NDArray[np.uint8]]:
    """Grey images (YX, uint8) by name, bright objects on dark ground; all are inside scikit-image's wheel.

    Returns
    -------
    dict of str to (height, width) uint8
        ``tissue_nuclei``: the haematoxylin (nuclear) stain of an immunohistochemistry section of colon,
        separated from the other stain by colour deconvolution (Ruifrok & Johnston 2001).
        ``cell``: one cell in suspension, quantitative phase. ``coins``: no cells, but round and many.
    """
    import numpy as np
    from skimage import color, data

    haematoxylin = color.rgb2hed(data.immunohistochemistry())[..., 0]
    low, high = np.percentile(haematoxylin, (1, 99.8))
    stretched = np.clip((haematoxylin - low) / (high - low), 0, 1)
    return {
        "tissue_nuclei": np.round(255 * stretched).astype(np.uint8),
        "cell": data.cell(),
        "coins": data.coins(),
    }


def write_demo_images(folder: Path) -> list[Path]:
    """Write the demo images to ``folder`` (made if needed) as PNG.

    Raises
    ------
    ImageError
        If the folder cannot be written.
    """
    from PIL import Image

    from ..errors import ImageError
    from ..io.files.atomic import atomic_path

    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, pixels in demo_images().items():
            paths.append(folder / f"{name}.png")
            with atomic_path(paths[-1]) as temporary:
                Image.fromarray(pixels).save(temporary, format="PNG")
    except OSError as error:
        raise ImageError(f"{folder}: cannot write the demo images ({error}); choose another folder with -o") from error
    return paths

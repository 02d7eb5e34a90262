"""``--tolerant``: every image whose size is known gets labels, and only a failure of our own counts as one."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cli.common import describe, say
from ..errors import ImageError, OutputError, StarpolyWarning, TooLargeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .outputs import Job


def is_to_blame(error: BaseException) -> bool:
    """Whether an error lies in the image, and neither in the memory, the disk nor the program."""
    return isinstance(error, ImageError) and not isinstance(error, (OutputError, TooLargeError))


def tolerate(job: Job, error: ImageError) -> dict[str, Any]:
    """Write labels without objects for an image that cannot be segmented, if its size is known, and say so.

    Parameters
    ----------
    job : Job
    error : ImageError
        What is wrong with the image.

    Returns
    -------
    dict
        ``status`` "blank" with the ``shape``, or "unreadable" for a file of which not even the size can be read.

    Raises
    ------
    ImageError
        If the labels cannot be written or the memory does not suffice to read the size.
    """
    from ..io.readers.images import read_header
    from ..io.readers.untrusted import check_claim

    message = describe(error)
    try:
        header = read_header(job.image)
        check_claim(header.n_bytes, job.image)
    except ImageError as worse:
        if not is_to_blame(worse):
            raise
        say(f"starpoly: warning: {message}; nothing is written for it")
        return {"status": "unreadable", "error": message}
    write_blank(job.labels, header.shape)
    shutil.rmtree(job.journal, ignore_errors=True)
    say(f"starpoly: warning: {message}; its labels are written without objects")
    return {"status": "blank", "error": message, "labels": str(job.labels), "shape": list(header.shape), "objects": 0}


def write_blank(path: Path, shape: tuple[int, int]) -> None:
    """Write labels without objects, of any size."""
    from ..io.writers.label_tiff import write_label_tiff
    from ..labels.lazy import LazyLabels
    from ..polygons import StarPolygons
    from .outputs import make_folder

    make_folder(path.parent)
    write_label_tiff(path, LazyLabels(StarPolygons.empty(8), shape))


def with_channels(image: NDArray, n_channels: int) -> NDArray:
    """The image with as many channels as a model has; where they do not correspond, all merged to grey.

    Raises
    ------
    ImageError
        If the model takes neither grey nor RGB.

    Warns
    -----
    StarpolyWarning
        If channels are merged.
    """
    from ..images.channels import as_channels, merge_channels

    try:
        return as_channels(image, n_channels)
    except ImageError:
        grey = as_channels(merge_channels(image), n_channels)
    message = f"expected {n_channels} channel(s), as the model has, got {image.shape[2]}: the mean of all is used"
    warnings.warn(message, StarpolyWarning, stacklevel=2)
    return grey

"""Coverage-guided fuzzing of the image readers with atheris, where its wheel installs: ``pip install atheris``.

``python -m fuzz.atheris_images FOLDER`` keeps what reaches new code in FOLDER; other arguments are those of libFuzzer.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Run until an error that starpoly does not raise on purpose."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed, and has wheels for few versions of Python; use python -m fuzz")
    with atheris.instrument_imports(include=["starpoly.io", "tifffile", "zarr"]):
        from .targets import run

    place = Path(tempfile.mkdtemp(prefix="fuzz"), "input.tif")

    from .targets import Bytes

    def try_one(data: bytes) -> None:
        place.write_bytes(data)
        run("image", place, Bytes())

    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""A slide's run that dies before its changes on disk, each in turn or some, and is repeated.

Several threads write, so which change is the n-th may differ from run to run; that there is one does not.

A script, since it forks: ``python crashes.py FOLDER table,labels,... new|replace|stack [N]`` prints what went wrong and the number
of changes; with N, the run dies before that many of them, evenly spread. Used by ``test_interruption.py``.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile

from starpoly.io.writers import label_tiff, ome_zarr
from starpoly.prediction import opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.outputs import Job
from starpoly.prediction.slide import segment_slide

from support.faults import spread
from support.painted import PaintedModel, disks, paint

CHANGES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")
DIED = 77


def fork(work: Callable[[], object], root: Path, die_before: int | None = None) -> tuple[int, int]:
    """Do the work in a child that dies before its n-th change under ``root``; its exit status and number of changes."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        status, numbers = 1, itertools.count(1)  # one step, whatever the thread

        def count(event: str, arguments: tuple) -> None:
            changes = (
                event in CHANGES
                and str(arguments[0]).startswith(str(root))
                and (event != "open" or _writes(arguments[2]))
            )
            if changes and next(numbers) == die_before:
                end(DIED)

        def end(status: int) -> None:
            os.write(writer, str(next(numbers) - 1).encode())
            os._exit(status)

        try:
            sys.addaudithook(count)
            work()
            status = 0
        except Exception as error:
            sys.stderr.write(f"{error!r}\n")
        finally:
            end(status)
    os.close(writer)
    with open(reader) as pipe:
        n_changes = int(pipe.read())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), n_changes


def _writes(flags: int | None) -> bool:
    return bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


class Slide:
    """A painted slide in a folder, or a stack of two, and the run of which all that it writes lies in ``out``."""

    def __init__(self, folder: Path, kinds: list[str], *, stack: bool = False) -> None:
        self.image, self.out = folder / "slide.tif", folder / "out"
        pixels = paint(disks((60, 90), seed=4, n=12)).astype(np.float32)
        if stack:
            pixels = np.stack([pixels, paint(disks((60, 90), seed=5, n=12)).astype(np.float32)])
        self.link = "z" if stack else None
        tifffile.imwrite(self.image, pixels, tile=(32, 48), planarconfig="contig", photometric="minisblack")
        names = {
            "labels": "labels.tiff",
            "table": "table.csv",
            "geojson": "objects.geojson",
            "rois": "rois.zip",
            "overlay": "overlay.png",
            "zarr": "labels.ome.zarr",
        }
        self.job = Job(self.image, SlideOutputs(**{kind: self.out / names[kind] for kind in kinds}))

    def run(self, threshold: float = 0.3) -> None:
        warnings.simplefilter("ignore")
        segment_slide(
            PaintedModel(),
            self.image,
            self.job.outputs,
            tile_size=56,
            prob_threshold=threshold,
            journal=self.job.journal,
            link=self.link,
        )

    def results(self) -> dict[str, object]:
        """The contents of each output that is there."""
        return {kind: _content(path) for kind, path in self.job.outputs.paths.items() if path.exists()}


def _content(path: Path) -> object:
    if path.is_file():
        return path.read_bytes()
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def die_everywhere(slide: Slide, earlier: Path | None, wanted: dict[str, object], numbers: Iterator[int]) -> list[str]:
    """What was wrong after dying before each of the changes on disk."""
    wrong: list[str] = []
    for n in numbers:
        shutil.rmtree(slide.out, ignore_errors=True)
        before: dict[str, object] = {}
        if earlier is not None:
            shutil.copytree(earlier, slide.out)
            before = slide.results()
        status, _ = fork(slide.run, slide.out, n)
        if status == 0:
            break
        if status != DIED:
            wrong.append(f"change {n}: status {status}")
        found = slide.results()
        wrong += [f"change {n}: half {kind}" for kind in found if found[kind] not in (wanted[kind], before.get(kind))]
        if slide.job.is_done and found not in (wanted, before):
            wrong.append(f"change {n}: taken for done")
        status, _ = fork(slide.run, slide.out)
        if status or slide.results() != wanted:
            wrong.append(f"change {n}: repeated, status {status}, other bytes")
        wrong += [f"change {n}: left {path.name}" for path in slide.out.iterdir() if path.name[0] == "."]
    return wrong


def main(folder: Path, kinds: list[str], scene: str, number: int | None = None) -> int:
    """Die before each change, or before some; 1 if something was wrong."""
    os.fsync = lambda descriptor: None  # processes die here, not machines
    opening.LARGEST_HELD = 0
    label_tiff.LARGEST_PLAIN, label_tiff.TILE, label_tiff._SMALLEST_LEVEL, ome_zarr.CHUNK = 0, 32, 64, 64
    import PIL.PngImagePlugin  # noqa: F401  # not once per child
    import roifile  # noqa: F401
    import zarr.codecs  # noqa: F401

    slide = Slide(folder, kinds, stack="stack" in scene)
    PaintedModel().predict_instances(np.zeros((8, 8, 9), np.float32))  # compiles the kernels
    fork(lambda: slide.run(0.9), slide.out)
    earlier = shutil.move(slide.out, folder / "earlier") if "replace" in scene else None
    shutil.rmtree(slide.out, ignore_errors=True)
    if earlier is not None:
        shutil.copytree(earlier, slide.out)
    _, n = fork(slide.run, slide.out)
    wrong = die_everywhere(slide, earlier, slide.results(), spread(n, number))
    sys.stdout.write("".join(f"{line}\n" for line in wrong) + f"{n} changes\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3], *map(int, sys.argv[4:5])))

"""Every call to the disk, start of a thread and large array made to fail in turn; or the process killed at it.

For n = 1, 2, ... a command runs in a forked child whose n-th call fails: an open, a write, an fsync, a rename, a folder made,
a file removed, a thread started, an array of more than some kilobytes made. After each, no file under its name may be half,
the message is one line that starpoly means, and the same command, repeated, ends with the same bytes and leaves nothing
hidden. Several threads work, so which call is the n-th may differ from run to run; that there is one does not.

A script, since it forks: ``python faults.py FOLDER SCENE,... error|kill|both [N]`` prints what went wrong and how many calls
there are; with N, that many of them are tried in each scene, evenly spread. Used by ``test_faults.py``.
"""

from __future__ import annotations

import builtins
import errno
import io
import itertools
import json
import os
import shutil
import signal
import sys
import threading
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from tqdm import tqdm

from support.painted import BrightModel

_NO_ROOM, _NO_FILE, _BROKEN = (
    (errno.ENOSPC, "No space left on device"), (errno.EMFILE, "Too many open files"), (errno.EIO, "Input/output error"),
)  # fmt: skip
_EVENTS = {"open": _NO_FILE, "os.rename": _NO_ROOM, "os.mkdir": _NO_ROOM, "os.remove": _BROKEN, "os.rmdir": _BROKEN}
_MAKES_ARRAYS = ("empty", "zeros", "ones", "full", "concatenate", "stack", "pad", "repeat", "tile", "where")
_LARGE = 4096  # bytes: what an image of the scenes takes, and a table of its objects does not
_LONGEST = 600  # seconds of a child; then it hangs
_VOLATILE = ("_provenance.json", ".html", "training.csv", "checkpoint.npz", "model.json")
"""Ends of names of files that hold times of the run: they are whole, but never the same."""
_EVENTS_OF_TRAINING = "tfevents"
"""In names of files of TensorBoard: the names hold the time."""
_END_OF_PNG = b"IEND\xaeB`\x82"
_OPTIONAL = (".png", ".html")
"""Of a training: left out with a warning, since the model is worth more."""


class CountedNumpy:
    """numpy, whose functions that make arrays call ``hit`` for large ones: what a module of starpoly finds as ``np``."""

    def __init__(self, hit: Callable[[Exception], None]) -> None:
        for name in _MAKES_ARRAYS:
            setattr(self, name, self._counted(getattr(np, name), hit))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def _counted(make: Callable[..., Any], hit: Callable[[Exception], None]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            made = make(*arguments, **named)
            if isinstance(made, np.ndarray) and made.nbytes > _LARGE:
                hit(MemoryError(f"Unable to allocate {made.nbytes} bytes"))
            return made

        return counted


class Faults:
    """Counts the calls that concern a folder, and lets the n-th fail, or ends the process there."""

    def __init__(self, root: Path, at: int | None, how: str) -> None:
        self._root, self._at, self._how = str(root), at, how
        self._numbers = itertools.count(1)  # one step, whatever the thread

    @property
    def n_calls(self) -> int:
        return next(self._numbers) - 1

    def install(self) -> None:
        """For good: the process ends with the command."""
        faults, plain_open = self, builtins.open

        class CountedFile(io.FileIO):
            def write(self, content: Any) -> int:
                if isinstance(self.name, str | bytes | os.PathLike) and faults._concerns(self.name):
                    faults._hit(OSError(*_NO_ROOM))
                return super().write(content)

        def counted_open(file: Any, mode: str = "r", buffering: int = -1, encoding=None, errors=None, newline=None,
                         closefd: bool = True, opener=None) -> Any:  # fmt: skip
            if not set(mode) & set("wax+") or isinstance(file, int):
                return plain_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
            raw = CountedFile(file, mode.replace("b", "").replace("t", ""), closefd, opener)
            if buffering == 0:
                return raw
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

        def counted_fsync(descriptor: int) -> None:
            faults._hit(OSError(*_BROKEN))  # machines do not die here: the disk need not be waited for

        builtins.open = io.open = counted_open  # type: ignore[assignment]
        os.fsync = counted_fsync
        sys.addaudithook(self._audit)
        counted_numpy = CountedNumpy(self._hit)
        for name, module in list(sys.modules.items()):
            # kernels are compiled with numpy itself
            if name.startswith("starpoly.") and "._kernels" not in name and getattr(module, "np", None) is np:
                module.np = counted_numpy  # type: ignore[attr-defined]

    def _audit(self, event: str, arguments: tuple) -> None:
        if event == "_thread.start_new_thread":
            self._hit(RuntimeError("can't start new thread"))
        elif event in _EVENTS and self._concerns(arguments[0]):
            self._hit(OSError(*_EVENTS[event], str(arguments[0])))

    def _concerns(self, path: Any) -> bool:
        return not isinstance(path, int) and path is not None and os.fsdecode(path).startswith(self._root)

    def _hit(self, error: Exception) -> None:
        if next(self._numbers) != self._at:
            return
        if self._how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise error


@dataclass(frozen=True)
class Outcome:
    """How a child ended: its exit status (negative: a signal), its calls (0 if it was killed), and what it said."""

    status: int
    n_calls: int
    said: str


def in_child(work: Callable[[], int], root: Path, at: int | None = None, how: str = "error") -> Outcome:
    """Do the work in a child whose n-th call under ``root`` fails."""
    note = root.parent / "note"
    note.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _live(work, Faults(root, at, how), note)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found = json.loads(note.read_text()) if note.exists() else {"n_calls": 0, "said": ""}
    return Outcome(status, **found)


def _live(work: Callable[[], int], faults: Faults, note: Path) -> None:
    said, status = io.StringIO(), 70
    sys.stderr = sys.stdout = said
    signal.alarm(_LONGEST)
    keep = builtins.open
    try:
        faults.install()
        status = work()
    except BaseException:
        said.write(traceback.format_exc())
    finally:
        faults._at = None
        content = json.dumps({"n_calls": faults.n_calls, "said": said.getvalue()})
        with keep(note, "w") as file:
            file.write(content)
        os._exit(status)


class Scene:
    """A command in a folder: its inputs lie in ``in``, all that it writes in ``out``."""

    def __init__(self, folder: Path, name: str) -> None:
        self.root = folder / "work"
        self.inputs, self.out = self.root / "in", self.root / "out"
        self.inputs.mkdir(parents=True)
        self.largest_held: int | None = None
        self.arguments = [str(argument) for argument in _SCENES[name](self)]

    def run(self) -> int:
        from starpoly.cli.main import main
        from starpoly.prediction import opening

        if self.largest_held is not None:
            opening.LARGEST_HELD = self.largest_held
        os.chdir(self.root)
        return main(self.arguments)

    def results(self) -> dict[str, bytes]:
        """Contents of all files that are not hidden."""
        files = (path for path in sorted(self.out.rglob("*")) if path.is_file())
        named = {str(path.relative_to(self.out)): path for path in files}
        kept = (name for name in named if not _is_hidden(name) and _EVENTS_OF_TRAINING not in name)
        return {name: named[name].read_bytes() for name in kept}

    def hidden(self) -> list[str]:
        """Names of what an ended command must not leave."""
        return [path.name for path in self.out.rglob(".*")] if self.out.exists() else []


def _is_hidden(name: str) -> bool:
    """Whether a file, or a folder on the way to it, is."""
    return any(part.startswith(".") for part in Path(name).parts)


def _image(scene: Scene, name: str = "a.png", seed: int = 0, n_planes: int = 0) -> Path:
    """An image with bright squares, or a stack of such."""
    rng, path = np.random.default_rng(seed), scene.inputs / name
    planes = []
    for _ in range(max(1, n_planes)):
        pixels = rng.integers(10, 20, (70, 90)).astype(np.uint8)
        for y, x in rng.integers(4, 60, (8, 2)):
            pixels[y : y + 4, x : x + 4] = 250
        planes.append(pixels)
    if n_planes:
        tifffile.imwrite(path, np.stack(planes), imagej=True, metadata={"axes": "TYX"})
    else:
        Image.fromarray(planes[0]).save(path)
    return path


def _model(scene: Scene) -> Path:
    folder = scene.root / "model"
    folder.mkdir()
    content = {"format": 1, **BrightModel().spec.to_dict(), "weights_sha256": ""}
    (folder / "model.json").write_text(json.dumps(content))
    return folder


def _predict(scene: Scene, *more: object) -> Iterator[object]:
    yield from ("predict", scene.inputs, "-o", scene.out, "--model", _model(scene), "--scale", 1, *more)


def _crop(scene: Scene) -> Iterator[object]:
    _image(scene)
    return _predict(scene, "--table", "--overlay", "--provenance", "--json", scene.out.parent / "summary.json")


def _folder(scene: Scene) -> Iterator[object]:
    for number in range(3):
        _image(scene, f"{number}.png", number)
    return _predict(scene, "--report", "--table-all", scene.out / "all.csv")


def _slide(scene: Scene) -> Iterator[object]:
    _image(scene, "a.tif")
    scene.largest_held = 0
    return _predict(scene, "--tile-size", 40, "--table", "--format", "geojson")


def _stack(scene: Scene) -> Iterator[object]:
    _image(scene, "a.tif", n_planes=2)
    return _predict(scene, "--table", "--link", "t")


def _export(scene: Scene) -> Iterator[object]:
    _image(scene)
    return _predict(scene, "--format", "zarr,geojson,rois", "--expand", 2)


def _training(scene: Scene) -> Iterator[object]:
    for number in range(3):
        _image(scene, f"{number}.png", number)
        pixels = np.asarray(Image.open(scene.inputs / f"{number}.png"))
        masks = scene.root / "masks"
        masks.mkdir(exist_ok=True)
        from scipy import ndimage

        tifffile.imwrite(masks / f"{number}.tif", ndimage.label(pixels > 200)[0].astype(np.uint16))
    config = scene.root / "config.toml"
    config.write_text(
        "[network]\ndepth = 1\nbase_filters = 2\nmax_filters = 2\nhead_filters = 2\nforeground_filters = 0\nn_rays = 4\n"
        "[training]\nvalidate_every = 1\nvalidation_patches = 2\nwarmup_steps = 1\n"
    )
    yield from ("train", "--images", scene.inputs, "--masks", scene.root / "masks", "-o", scene.out, "--config", config,
                "--epochs", 2, "--steps", 1, "--batch-size", 1, "--patch-size", 32, "--resume",
                "--inspect-every", 1)  # fmt: skip


_SCENES: dict[str, Callable[[Scene], Iterator[object]]] = {
    "crop": _crop, "folder": _folder, "slide": _slide, "stack": _stack, "export": _export, "training": _training,
}  # fmt: skip


def fail_everywhere(scene: Scene, how: str, wanted: dict[str, bytes], numbers: Iterator[int]) -> list[str]:
    """What was wrong after each of the calls failed."""
    wrong: list[str] = []
    for n in numbers:
        shutil.rmtree(scene.out, ignore_errors=True)
        broken = in_child(scene.run, scene.root, n, how)
        wrong += [f"call {n}: {line}" for line in _ends_badly(broken, how)]
        wrong += [f"call {n}: half {name}" for name, found in scene.results().items() if _is_half(name, found, wanted)]
        again = in_child(scene.run, scene.root)
        if again.status:
            wrong.append(f"call {n}: repeated, status {again.status}: {again.said[-300:]}")
        elif other := _differing(scene.results(), wanted, pictures="train" not in scene.arguments):
            wrong.append(f"call {n}: repeated, other bytes: {sorted(other)}")
        wrong += [f"call {n}: repeated, left {name}" for name in scene.hidden()]
        if broken.status == 0 and broken.n_calls < n:
            break
    return wrong


def _ends_badly(broken: Outcome, how: str) -> list[str]:
    if how == "kill":
        return [] if broken.status in (0, -signal.SIGKILL) else [f"status {broken.status}: {broken.said[-300:]}"]
    if broken.status < 0 or broken.status > 2:
        return [f"status {broken.status}: {broken.said[-1500:]}"]
    return [line[:300] for line in broken.said.splitlines() if "unexpected" in line or "Traceback" in line]


def _is_half(name: str, found: bytes, wanted: dict[str, bytes]) -> bool:
    if name == "all.csv":
        return not found.endswith(b"\n")  # tells of the images that were segmented
    if name.endswith(".html"):
        return not found.rstrip().endswith(b"</html>")
    if name.endswith(".json") and name.endswith(_VOLATILE):
        return not _is_json(found)
    if name.endswith(".npz"):
        return not zipfile.is_zipfile(io.BytesIO(found))
    if name.startswith(
        "validation/"
    ):  # shows what the model finds at its thresholds, whose choice may have been left out
        return not found.endswith(_END_OF_PNG)
    # the weights of a training are those of its best epoch so far
    return not name.endswith((*_VOLATILE, ".h5")) and found != wanted.get(name)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def _differing(found: dict[str, bytes], wanted: dict[str, bytes], *, pictures: bool = True) -> set[str]:
    names = {name for name in found.keys() | wanted.keys() if pictures or not name.endswith(_OPTIONAL)}
    return {
        name
        for name in names
        if (name in found) != (name in wanted) or (found[name] != wanted[name] and not name.endswith(_VOLATILE))
    }


def _warm_up(scene: Scene, name: str) -> None:
    """Load modules and kernels once, not in every child; nothing that keeps a thread."""
    import roifile  # noqa: F401
    import zarr.codecs  # noqa: F401

    from starpoly.cli.main import main
    from starpoly.model import StarPoly2D

    StarPoly2D.from_pretrained = classmethod(lambda cls, *_, **__: BrightModel())  # type: ignore[assignment]
    if name == "training":
        _warm_up_training()
        return
    elsewhere = scene.root.parent / "warm"
    more = ["--table", "--overlay", "--format", "geojson,rois", "--expand", "2", "--report", "--quiet"]
    picture = next(scene.inputs.iterdir())
    sys.stderr, before = io.StringIO(), sys.stderr
    try:
        main(["predict", str(picture), "-o", str(elsewhere), *scene.arguments[4:8], *more])
    finally:
        sys.stderr = before
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:  # idle decoders stay
            thread.join(_LONGEST)


def _warm_up_training() -> None:
    """Load what a training loads, and take its steps without a graph, which takes longer to make than the whole scene."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401

    import starpoly.detection.detector
    import starpoly.plot.figure
    import starpoly.plot.losses
    import starpoly.report.training_page
    import starpoly.training.fit
    import starpoly.training.inspection
    import starpoly.training.tuning  # noqa: F401
    from starpoly.network.quiet import quiet_import

    quiet_import()
    import keras

    from support.eager import without_graph

    keras.Model.fit = without_graph(keras.Model.fit)


def spread(n_calls: int, wanted: int | None) -> Iterator[int]:
    """All numbers without end, or some from the first to the last call."""
    if wanted is None:
        yield from itertools.count(1)
    else:
        yield from np.unique(np.linspace(1, n_calls, wanted).round().astype(int)).tolist()


def try_scene(folder: Path, name: str, ways: list[str], number: int | None = None) -> list[str]:
    """Fail, or die, at every call of a scene, or at some: what was wrong, and a line that ends with the number of calls."""
    scene = Scene(folder, name)
    _warm_up(scene, name)
    whole = in_child(scene.run, scene.root)
    if whole.status:
        return [f"{name}: status {whole.status} without a fault: {whole.said}"]
    wanted = scene.results()
    wrong = [
        f"{name}, {how}, {line}"
        for how in ways
        for line in fail_everywhere(scene, how, wanted, spread(whole.n_calls, number))
    ]
    return [*wrong, f"{name}: {whole.n_calls} calls"]


def main(folder: Path, names: str, how: str, number: int | None = None) -> None:
    """Try scenes one after the other, and print."""
    tqdm.monitor_interval = 0  # no thread that watches bars
    ways = ["error", "kill"] if how == "both" else [how]
    for name in names.split(","):
        lines = try_scene(folder / name, name, ways, number)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:5]))

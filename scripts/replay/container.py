"""Start a replayed image as ``docker run`` starts one, and hold it to the challenge's contract."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .box import Box, Done, run
from .build import Image, ids, say

#: What the organisers start.
CHALLENGE = ("/bin/bash", "-c", "sh predict.sh")
INPUTS, OUTPUTS = "/workspace/inputs", "/workspace/outputs"

_SAMPLES = Path(__file__).with_name("samples.py")
_INSIDE_SAMPLES = "/run/samples.py"
_SOMEBODY, _SOMEBODY_ELSE = 4321, 5432
# read and written in one go by whoever is asked; the folder of the changes is the engine's, not the contract's
_NOT_COUNTED = ("tmp/", "run/")


@dataclass(frozen=True)
class Ended:
    """A container that ended: how, and which files it wrote in its own file system outside /tmp."""

    done: Done
    written: tuple[str, ...] = ()


@dataclass(frozen=True)
class Engine:
    """Starts containers of an image.

    Parameters
    ----------
    image : Image
    work : Path
        Folder for what containers write.
    memory : int
        Limit in bytes.
    """

    image: Image
    work: Path
    memory: int

    def start(
        self,
        command: Sequence[str] = (),
        binds: Sequence[tuple[Path, str, bool]] = (),
        *,
        environment: Mapping[str, str] | None = None,
        user: tuple[int, int] | None = None,
        read_only: bool = False,
        entrypoint: bool = True,
        quiet: bool = False,
    ) -> Ended:
        """Run the image's entry point with a command (the image's own by default), to its end."""
        image = self.image
        words = (*(image.entrypoint if entrypoint else ()), *(command or image.command))
        variables = {"HOME": "/root", "HOSTNAME": "container"} | image.environment | dict(environment or {})
        (self.work / "containers").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work / "containers") as folder:
            changes = Path(folder, "changes")
            box = Box(
                image.layers,
                changes,
                image.borrowed,
                binds,
                user=user or ids(image.user),
                read_only=read_only,
                memory=self.memory,
            )
            done = run(box, words, variables, image.cwd, quiet=quiet)
            return Ended(done, tuple(_files(changes)))

    def challenge(self, inputs: Path, outputs: Path, command: Sequence[str] = CHALLENGE, **options) -> Ended:
        """Run the challenge's command on folders of this machine."""
        return self.start(command, [(inputs, INPUTS, False), (outputs, OUTPUTS, True)], **options)

    def sample(self, *words: str, folder: Path, quiet: bool = True) -> Done:
        """Run ``samples.py`` in the image, as root, with a folder of this machine at /mnt."""
        binds = [(_SAMPLES, _INSIDE_SAMPLES, False), (folder, "/mnt", True)]
        return self.start(("python", _INSIDE_SAMPLES, *words), binds, entrypoint=False, quiet=quiet).done


def _files(changes: Path) -> Iterator[str]:
    for path in sorted(changes.rglob("*")):
        name = path.relative_to(changes).as_posix()
        if not path.is_dir() and not name.startswith(_NOT_COUNTED):
            yield name


# --- the contract


@dataclass
class Case:
    """One way in which the container may be started.

    ``files`` None stands for all samples; ``owner`` and ``mode`` are those of the output folder; ``may_write`` is the one
    folder of the container's own file system that may change.
    """

    name: str
    files: tuple[str, ...] | None = ("grey.png",)
    owner: int | None = None
    mode: int = 0o755
    options: dict = field(default_factory=dict)
    may_write: str = "tmp/"


CASES = [
    Case("as the challenge does: outputs belong to somebody, all kinds of files", None, _SOMEBODY),
    Case("outputs of root", owner=0),
    Case("outputs that everybody may write", owner=_SOMEBODY, mode=0o777),
    Case("no files", ()),
    Case("somebody else by --user", owner=_SOMEBODY_ELSE, options={"user": (_SOMEBODY_ELSE, _SOMEBODY_ELSE)}),
    Case(
        "nothing to write but the outputs: --read-only, no HOME",
        owner=_SOMEBODY_ELSE,
        options={"user": (_SOMEBODY_ELSE, _SOMEBODY_ELSE), "read_only": True, "environment": {"HOME": "/nonexistent"}},
    ),
    Case(
        "a processor that the kernels were not compiled for",
        owner=_SOMEBODY,
        options={"environment": {"NUMBA_CPU_NAME": "x86-64-v2", "NUMBA_CPU_FEATURES": ""}},
        may_write="opt/starpoly/cache/numba/",
    ),
]


def check(engine: Engine, report: Callable[[str], None] = say) -> list[str]:
    """Go through all cases; returns what is wrong, a line each."""
    problems: list[str] = []
    rooted = os.geteuid() == 0
    if not rooted:
        report("without root there is one user only, to whom all folders belong")
    with scratch() as folder:
        samples = folder / "samples"
        samples.mkdir()
        made = engine.sample("write", "/mnt/samples", folder=folder)
        if made.status:
            return [f"the samples cannot be written: {made.output}"]
        for number, case in enumerate(CASES):
            place = folder / str(number)
            found, ended = _try(engine, case, samples, place, rooted=rooted)
            report(f"{case.name}: {describe(ended.done)}: {'; '.join(found) or 'as it should be'}")
            if found and ended.done.output:
                report(ended.done.output.rstrip())
            problems += [f"{case.name}: {problem}" for problem in found]
    return problems


def _try(engine: Engine, case: Case, samples: Path, place: Path, *, rooted: bool) -> tuple[list[str], Ended]:
    inputs, outputs = place / "inputs", place / "outputs"
    outputs.mkdir(parents=True)
    ignore = shutil.ignore_patterns() if case.files is None else _all_but(case.files)
    shutil.copytree(samples, inputs, ignore=ignore)
    owner = case.owner if rooted else None
    if owner is not None:
        os.chown(outputs, owner, owner)
    outputs.chmod(case.mode)
    options = dict(case.options)
    if not rooted:
        options.pop("user", None)
    ended = engine.challenge(inputs, outputs, quiet=True, **options)
    problems = [f"ended with status {ended.done.status}"] if ended.done.status else []
    problems += [f"wrote {name} in the container" for name in ended.written if not name.startswith(case.may_write)]
    looked = engine.sample("check", f"/mnt/{place.name}/inputs", f"/mnt/{place.name}/outputs", folder=place.parent)
    problems += looked.output.splitlines() if looked.status else []
    if owner is not None and case.mode == 0o755:
        strangers = [path.name for path in outputs.iterdir() if path.stat().st_uid != owner]
        problems += [f"{name} does not belong to the owner of the outputs" for name in strangers]
    return problems, ended


def _all_but(names: Sequence[str]) -> Callable[[str, list[str]], list[str]]:
    return lambda _, entries: [entry for entry in entries if entry not in names]


def slide(engine: Engine, height: int, width: int) -> dict[str, object]:
    """Segment one large RGB image as the challenge would; time, memory and what the labels hold."""
    with scratch() as folder:
        for name in ("inputs", "outputs"):
            (folder / name).mkdir()
        made = engine.sample("slide", "/mnt/inputs/slide.tif", str(height), str(width), folder=folder)
        if made.status:
            return {"status": made.status, "said": made.output}
        if os.geteuid() == 0:
            os.chown(folder / "outputs", _SOMEBODY, _SOMEBODY)
        done = engine.challenge(folder / "inputs", folder / "outputs").done
        looked = engine.sample("describe", "/mnt/outputs", folder=folder)
        facts: dict[str, object] = json.loads(looked.output) if looked.status == 0 else {"said": looked.output}
        return {**measured(done), "labels": facts}


def measured(done: Done) -> dict[str, object]:
    """The figures of a run, JSON types."""
    group = None if done.group is None else round(done.group / 2**30, 2)
    return {
        "status": done.status,
        "seconds": round(done.seconds, 2),
        "largest_process_gib": round(done.largest_process / 2**30, 2),
        "control_group_gib": group,
        "limited_by": done.limited_by,
    }


def describe(done: Done) -> str:
    """The figures of a run in a few words."""
    return f"status {done.status}, {done.seconds:.1f} s, {done.largest_process / 2**30:.2f} GiB"


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="starpoly-replay-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder

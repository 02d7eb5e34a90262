"""Follow a Dockerfile: one layer for each COPY and RUN, kept until something before or in it changes."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import base as bases
from .box import Box, run
from .dockerfile import DockerfileError, Instruction, command, context_files, copied, pairs, parse, substitute


@dataclass(frozen=True)
class Image:
    """What the instructions so far have made; ``layers`` are folders, the uppermost first."""

    layers: tuple[Path, ...] = ()
    borrowed: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    key: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """What $NAME may stand for."""
        return self.arguments | self.environment


def say(text: str) -> None:
    """One line for whoever watches."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class Builder:
    """Builds an image of a folder with a Dockerfile.

    Parameters
    ----------
    context : Path
        The folder.
    work : Path
        Folder for bases and layers.
    arguments : mapping
        Values for the Dockerfile's ARGs.
    on_this_machine : bool
        Whether the base is this machine's own system rather than a fresh Debian.
    quiet : bool
        Whether only steps that are not kept are said.
    """

    def __init__(
        self, context: Path, work: Path, arguments: Mapping[str, str], *, on_this_machine: bool, quiet: bool = False
    ) -> None:
        self._context, self._work, self._arguments, self._quiet = context, work, dict(arguments), quiet
        self._on_this_machine = on_this_machine
        self._files = context_files(context)

    def build(self) -> Image:
        """Follow all instructions.

        Raises
        ------
        DockerfileError
            For what cannot be followed here, or a RUN that fails.
        """
        instructions = parse((self._context / "Dockerfile").read_text(encoding="utf-8"))
        unknown = self._arguments.keys() - {
            entry.rest.partition("=")[0] for entry in instructions if entry.word == "ARG"
        }
        if unknown:
            raise DockerfileError(f"expected build arguments that the Dockerfile has, got {', '.join(sorted(unknown))}")
        image = Image()
        for entry in instructions:
            image = getattr(self, f"_{entry.word.lower()}")(image, entry)
            image = replace(
                image, key=_digest(image.key, entry.word, entry.rest, repr(sorted(image.variables.items())))
            )
        return image

    # --- instructions

    def _from(self, image: Image, entry: Instruction) -> Image:
        name = substitute(entry.rest.split()[0], image.arguments)
        if self._on_this_machine:
            base = bases.this_machine(self._work)
            stands = "this machine's own system"
        else:
            base = bases.debian(name, self._work)
            stands = "a fresh Debian with its own Python"
        if not self._quiet:
            say(f"FROM {name}: {stands} stands for it")
        return replace(image, layers=(base.folder,), borrowed=base.borrowed, environment=base.environment)

    def _arg(self, image: Image, entry: Instruction) -> Image:
        name, _, default = entry.rest.partition("=")
        value = self._arguments.get(name, substitute(default, image.variables))
        return replace(image, arguments=image.arguments | {name: value})

    def _env(self, image: Image, entry: Instruction) -> Image:
        return replace(image, environment=image.environment | pairs(entry.rest, image.variables))

    def _label(self, image: Image, entry: Instruction) -> Image:
        pairs(entry.rest, image.variables)
        return image

    def _workdir(self, image: Image, entry: Instruction) -> Image:
        cwd = str(Path(image.cwd, substitute(entry.rest, image.variables)))
        image = self._layer(image, entry, "", lambda layer: (layer / cwd.lstrip("/")).mkdir(parents=True))
        return replace(image, cwd=cwd)

    def _user(self, image: Image, entry: Instruction) -> Image:
        return replace(image, user=substitute(entry.rest, image.variables))

    def _entrypoint(self, image: Image, entry: Instruction) -> Image:
        return replace(image, entrypoint=tuple(command(entry.rest)))

    def _cmd(self, image: Image, entry: Instruction) -> Image:
        return replace(image, command=tuple(command(entry.rest)))

    def _copy(self, image: Image, entry: Instruction) -> Image:
        targets = copied(substitute(entry.rest, image.variables), self._files, image.cwd)
        contents = hashlib.sha256()
        for source in sorted(targets):
            contents.update(f"{source}\0{(self._context / source).stat().st_mode:o}\0".encode())
            contents.update(hashlib.sha256((self._context / source).read_bytes()).digest())

        def fill(layer: Path) -> None:
            for source, target in targets.items():
                place = layer / target.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self._context / source, place)

        return self._layer(image, entry, contents.hexdigest(), fill)

    def _run(self, image: Image, entry: Instruction) -> Image:
        variables, binds = bases.build_network()

        def fill(layer: Path) -> None:
            box = Box(image.layers, layer, image.borrowed, binds, user=ids(image.user), network=True)
            done = run(box, command(entry.rest), image.variables | variables, image.cwd)
            if done.status:
                raise DockerfileError(f"line {entry.line}: RUN ended with status {done.status}")

        return self._layer(image, entry, "", fill)

    def _layer(self, image: Image, entry: Instruction, contents: str, fill: Callable[[Path], object]) -> Image:
        key = _digest(image.key, entry.word, entry.rest, contents)
        layer = self._work / "layers" / key[:16]
        name = f"{entry.word} {entry.rest}"
        if not (self._quiet and layer.is_dir()):
            say(f"{name if len(name) <= 100 else name[:97] + '...'}{': kept' if layer.is_dir() else ''}")
        if not layer.is_dir():
            unfinished = layer.with_suffix(".tmp")
            for leftover in (unfinished, unfinished.with_name(f"{unfinished.name}.work")):
                shutil.rmtree(leftover, ignore_errors=True)
            unfinished.mkdir(parents=True)
            fill(unfinished)
            shutil.rmtree(unfinished.with_name(f"{unfinished.name}.work"), ignore_errors=True)
            unfinished.rename(layer)
            say(f"  {size_of(layer) / 1e6:.1f} MB")
        return replace(image, layers=(layer, *image.layers), key=key)


def ids(user: str) -> tuple[int, int] | None:
    """``UID`` or ``UID:GID`` as numbers; None for nobody in particular, who is root."""
    if not user:
        return None
    uid, _, gid = user.partition(":")
    try:
        return int(uid), int(gid or uid)
    except ValueError:
        raise DockerfileError(f"USER: expected numbers such as 1000:1000, got {user!r}") from None


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()

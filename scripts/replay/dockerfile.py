"""A Dockerfile and a .dockerignore, read as far as this project uses them; anything else is refused."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

WORDS = ("FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD", "LABEL")

_VARIABLE = re.compile(r"\\\$|\$(?:(?P<name>\w+)|\{(?P<braced>\w+)(?::(?P<kind>[-+])(?P<other>[^}]*))?\})")


class DockerfileError(ValueError):
    """A Dockerfile that cannot be followed here."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its line in the file, its word in capitals, and the rest with continued lines joined."""

    line: int
    word: str
    rest: str


def parse(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile with one stage.

    Raises
    ------
    DockerfileError
        For an unknown instruction, here-documents, more than one stage, or a file that does not begin with FROM or ARG.
    """
    found: list[Instruction] = []
    begin, parts = 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (parts and not line.strip()):
            continue
        begin = begin if parts else number
        parts.append(line.rstrip().removesuffix("\\"))
        if not line.rstrip().endswith("\\"):
            if statement := " ".join(part.strip() for part in parts).strip():
                found.append(_instruction(begin, statement))
            parts = []
    if parts:
        raise DockerfileError(f"line {begin}: expected an end, got a \\ in the last line")
    if [entry.word for entry in found if entry.word != "ARG"][:1] != ["FROM"]:
        raise DockerfileError("expected FROM at the beginning")
    if sum(entry.word == "FROM" for entry in found) > 1:
        raise DockerfileError("expected one stage, got more than one FROM")
    return found


def _instruction(line: int, statement: str) -> Instruction:
    word, _, rest = statement.partition(" ")
    word, rest = word.upper(), rest.strip()
    if word not in WORDS or "<<" in rest or (word in ("RUN", "FROM") and rest.startswith("--")):
        raise DockerfileError(f"line {line}: expected one of {', '.join(WORDS)} in a plain form, got {statement!r}")
    return Instruction(line, word, rest)


def substitute(text: str, variables: Mapping[str, str]) -> str:
    r"""``text`` with ``$NAME``, ``${NAME}``, ``${NAME:-other}`` and ``${NAME:+other}`` put in; ``\$`` is a dollar sign."""

    def value(match: re.Match[str]) -> str:
        if match[0] == r"\$":
            return "$"
        known = variables.get(match["name"] or match["braced"], "")
        if match["kind"] == "-":
            return known or match["other"]
        return match["other"] if match["kind"] == "+" and known else "" if match["kind"] == "+" else known

    return _VARIABLE.sub(value, text)


def pairs(rest: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Names and values of ENV and LABEL; all values are filled in with what holds before the instruction."""
    words = shlex.split(rest)
    if not all("=" in word for word in words):
        raise DockerfileError(f"expected NAME=VALUE ..., got {rest!r}")
    return {name: substitute(value, variables) for name, _, value in (word.partition("=") for word in words)}


def command(rest: str) -> list[str]:
    """RUN, CMD or ENTRYPOINT as words: a JSON list, or a line for the shell."""
    if rest.startswith("["):
        words = json.loads(rest)
        if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
            raise DockerfileError(f"expected a list of strings, got {rest!r}")
        return words
    return ["/bin/sh", "-c", rest]


# --- .dockerignore


class Ignore:
    """The patterns of a .dockerignore; the last one that matches a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        self._rules = [_rule(line) for line in lines]
        self._let_in = [line[1:].strip("/") for line in lines if line.startswith("!")]

    def ignores(self, path: str) -> bool:
        """Whether a file, named relative to the context with slashes, stays out."""
        above = [path, *map(str, PurePosixPath(path).parents)][:-1]
        ignored = False
        for pattern, keeps in self._rules:
            if any(pattern.fullmatch(part) for part in above):
                ignored = not keeps
        return ignored

    def ignores_all_of(self, folder: str) -> bool:
        """Whether nothing below a folder of the context can come in."""
        return self.ignores(f"{folder}/any") and not any(path.startswith((f"{folder}/", "*")) for path in self._let_in)


def _rule(line: str) -> tuple[re.Pattern[str], bool]:
    keeps = line.startswith("!")
    text = line.removeprefix("!").strip("/")
    expression, at = "", 0
    while at < len(text):
        if text.startswith("**/", at):
            expression, at = expression + "(?:.*/)?", at + 3
        elif text.startswith("**", at):
            expression, at = expression + ".*", at + 2
        elif text[at] == "[" and "]" in text[at:]:
            end = text.index("]", at)
            expression, at = expression + text[at : end + 1], end + 1
        else:
            expression, at = expression + {"*": "[^/]*", "?": "[^/]"}.get(text[at], re.escape(text[at])), at + 1
    return re.compile(expression), keeps


def context_files(folder: Path) -> list[str]:
    """Files of a build context that its .dockerignore lets in, relative, with slashes, sorted."""
    rules = folder / ".dockerignore"
    ignore = Ignore(rules.read_text(encoding="utf-8") if rules.is_file() else "")
    files: list[Path] = []
    for entry in folder.iterdir():
        if entry.is_file():
            files.append(entry)
        elif not ignore.ignores_all_of(entry.name):  # else it need not be walked
            files += [path for path in entry.rglob("*") if path.is_file()]
    relative = (path.relative_to(folder).as_posix() for path in files)
    return sorted(path for path in relative if not ignore.ignores(path))


def copied(rest: str, files: list[str], cwd: str) -> dict[str, str]:
    """Target by source of ``COPY SOURCE... TARGET``; targets are absolute.

    A folder as source stands for what is in it.

    Raises
    ------
    DockerfileError
        For flags, patterns, or a source that does not exist in the context.
    """
    words = command(rest) if rest.startswith("[") else shlex.split(rest)
    if len(words) < 2 or any(word.startswith("--") or set(word) & set("*?[") for word in words):
        raise DockerfileError(f"COPY: expected SOURCE... TARGET without flags and patterns, got {rest!r}")
    *sources, target = words
    place = PurePosixPath(cwd, target)
    found: dict[str, str] = {}
    for source in (str(PurePosixPath(source)) for source in sources):
        prefix = "" if source == "." else f"{source}/"
        inside = {file: str(place / file.removeprefix(prefix)) for file in files if file.startswith(prefix)}
        if source in files:
            into_folder = target.endswith("/") or len(sources) > 1
            inside = {source: str(place / PurePosixPath(source).name if into_folder else place)}
        if not inside:
            raise DockerfileError(f"COPY: expected {source} in the context, got no such file (see .dockerignore)")
        found |= inside
    return found

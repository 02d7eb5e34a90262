"""The code in documents: blocks of commands, Python and settings, and what is said about those that are not run."""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md", "CONTRIBUTING.md", "models/README.md",
    *(path.relative_to(ROOT).as_posix() for folder in ("docs", "models/*") for path in sorted(ROOT.glob(f"{folder}/*.md"))),
]  # fmt: skip

#: Commands that a test of documents cannot run, and why.
NOT_RUN = {
    "pip install": "installs packages",
    "pre-commit install": "changes the checkout",
    "docker": "needs a Docker engine",
    "sh scripts/docker.sh": "needs a Docker engine",
    "python scripts/replay_dockerfile.py": "builds a root file system; tests/repository/test_container.py",
    "python3.11 scripts/lock.py": "asks the package index; tests/repository/test_container.py",
    "python scripts/dependency_ranges.py": "installs packages; tests/repository/test_supply.py",
    "python benchmarks": "measures for minutes; benchmarks/README.md",
    "sh run-tests.sh": "is what runs this",
    "sh predict.sh": "makes an environment of its own; tests/repository/test_scripts.py and notebooks/5_challenge",
    "dask scheduler": "runs until it is stopped; tests/support/cluster.py",
    "dask worker": "runs until it is stopped; tests/support/cluster.py",
    "jupyter lab": "opens a browser; tests/repository/test_notebooks.py",
}
_REASON = re.compile(r"<!-- not run: (.+) -->")


@dataclass(frozen=True)
class Block:
    """Code of a document: ``kind`` is shell, python or toml; ``reason`` why it is not run, empty if it is."""

    document: str
    line: int
    kind: str
    text: str
    reason: str

    @property
    def commands(self) -> list[list[str]]:
        """Shell commands as words, without comments and settings of the environment."""
        joined = self.text.replace("\\\n", " ")
        found = [shlex.split(line, comments=True) for line in joined.splitlines()]
        return [_without_settings(words) for words in found if words]


def _without_settings(words: list[str]) -> list[str]:
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    return words


def blocks(document: str) -> list[Block]:
    """The blocks of a document, fenced or indented. Those in braces are run when the pages are built."""
    lines = (ROOT / document).read_text(encoding="utf-8").splitlines()
    found, reason, at = [], "", 0
    while at < len(lines):
        line = lines[at]
        if match := _REASON.fullmatch(line.strip()):
            reason = match[1]
        elif line.startswith("```"):
            kind, start = line.strip("` "), at + 1
            while not lines[at := at + 1].startswith("```"):
                pass
            if not kind.startswith("{"):
                found.append(Block(document, start, _kind(kind), "\n".join(lines[start:at]), reason))
            reason = ""
        elif line.startswith("    ") and not lines[at - 1].strip():
            start = at
            while at + 1 < len(lines) and (lines[at + 1].startswith("    ") or not lines[at + 1].strip()):
                at += 1
            text = "\n".join(line[4:] for line in lines[start : at + 1]).strip("\n")
            found.append(Block(document, start + 1, "toml" if text.startswith("[") else "shell", text, reason))
            reason = ""
        elif line.strip():
            reason = ""
        at += 1
    return found


def imported_names(code: str) -> set[str]:
    """What Python code imports from starpoly, by full names; the package itself aside, and modules that it exports."""
    return {
        f"{node.module}.{name.name}"
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "starpoly"
        for name in node.names
    }


def reference_names() -> set[str]:
    """What the reference documents, and what the package exports."""
    import starpoly

    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    return {*re.findall(r"auto\w+:: (starpoly[\w.]*)", page), *(f"starpoly.{name}" for name in starpoly.__all__)}


def _kind(name: str) -> str:
    return {"": "shell", "sh": "shell", "bash": "shell", "console": "shell"}.get(name, name)


def why_not(words: list[str]) -> str:
    """Why a command is not run, empty if it is."""
    return next((reason for prefix, reason in NOT_RUN.items() if " ".join(words).startswith(prefix)), "")

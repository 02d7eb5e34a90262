"""What other systems do otherwise, as far as it can be done here: no locks, no owners, other line ends, one case of letters."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

from starpoly.io.files import lock
from starpoly.io.files.atomic import atomic_path, beside
from starpoly.io.files.find import FoundImage
from starpoly.prediction.outputs import plan_jobs
from starpoly.training.groups import read_groups

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "starpoly").rglob("*.py"))
#: Names that Windows gives to devices, whatever follows the first dot.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def test_files_are_written_where_there_are_no_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    for text in ("first", "second"):
        with atomic_path(tmp_path / "a.txt") as path:
            path.write_text(text)
    assert (tmp_path / "a.txt").read_text() == "second"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("name", ["con.png", "AUX.tif", "nul", "lpt1.tar.png", "a.", "a:b", "x" * 255])
def test_hidden_names_are_names_everywhere(name):
    hidden = beside(Path(name), "part").name
    assert not RESERVED.match(hidden)
    assert re.fullmatch(r"\.[0-9a-f]+\.part", hidden)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
@pytest.mark.parametrize(
    "names", [("A.png", "a.png"), ("\u00e9.png", "e\u0301.png"), ("STRASSE.png", "stra\u00dfe.png")]
)
def test_names_that_are_one_on_some_disks_have_results_of_their_own(tmp_path, names):
    jobs = plan_jobs([FoundImage(Path(name)) for name in names], tmp_path)
    first, second = (beside(job.labels, "part") for job in jobs)
    assert first != second


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_may_have_any_line_ends(tmp_path, end):
    (tmp_path / "groups.csv").write_bytes(f"name,group{end}a,one{end}b,two{end}".encode())
    assert read_groups(tmp_path / "groups.csv") == {"a": "one", "b": "two"}


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [node for node in found if getattr(node.func, "attr", getattr(node.func, "id", "")) == name]


def _mode(call: ast.Call) -> str:
    places = [
        place.value for place in call.args[:2] if isinstance(place, ast.Constant) and isinstance(place.value, str)
    ]
    modes = [place for place in places if set(place) <= set("rwaxbt+")]
    return modes[-1] if modes else "r"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_is_written_with_the_same_line_ends_and_encoding_everywhere(module):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    written = calls(tree, "write_text") + [
        call for call in calls(tree, "open") if set(_mode(call)) & set("wax") and "b" not in _mode(call)
    ]
    for call in written:
        named = {keyword.arg for keyword in call.keywords}
        assert {"encoding", "newline"} <= named or _is_console(call), ast.unparse(call)


def _is_console(call: ast.Call) -> bool:
    return "os.devnull" in ast.unparse(call)


def test_no_module_needs_what_only_unix_has():
    for module in MODULES:
        tree = ast.parse(module.read_text(encoding="utf-8"))
        tops = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in tops for alias in node.names} | {getattr(node, "module", "") for node in tops}
        assert names.isdisjoint({"fcntl", "resource", "pwd", "grp", "termios", "pty"}), module

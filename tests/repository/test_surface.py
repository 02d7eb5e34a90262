"""The public surface: what packages export is what the reference documents, and what the documents use."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import re
import subprocess
import sys
from types import ModuleType

import pytest

from support.documents import DOCUMENTS, ROOT

STUBS = sorted((ROOT / "starpoly").rglob("__init__.pyi"))
PACKAGES = [".".join(stub.parent.relative_to(ROOT).parts) for stub in STUBS]
PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
DOCUMENTED = set(re.findall(r"auto(?:class|function|exception|data):: (starpoly[\w.]*)", PAGE))
SHORT = dict(re.findall(r"\| `(starpoly\.\w+)` \| \{py:\w+\}`(starpoly[\w.]+)` \|", PAGE))
NAMES = [f"{package}.{name}" for package in PACKAGES for name in importlib.import_module(package).__all__]


def get(path: str):
    package, _, name = path.rpartition(".")
    return getattr(importlib.import_module(package), name)


EXPORTED = [name for name in NAMES if not name.endswith(".__version__") and not isinstance(get(name), ModuleType)]


def test_every_package_that_a_user_meets_exports():
    assert {"starpoly", "starpoly.io", "starpoly.prediction", "starpoly.training", "starpoly.plot"} <= set(PACKAGES)
    assert len(EXPORTED) > 80


def test_the_reference_documents_exactly_what_is_exported():
    assert len(DOCUMENTED) == len(re.findall(r"auto(?:class|function|exception|data)::", PAGE))
    assert DOCUMENTED | set(SHORT) == set(EXPORTED)
    assert not DOCUMENTED & set(SHORT)


@pytest.mark.parametrize("name", SHORT)
def test_a_short_name_is_the_same_object(name):
    assert SHORT[name] in DOCUMENTED
    assert get(name) is get(SHORT[name])


@pytest.mark.parametrize("package", PACKAGES)
def test_completion_lists_the_exported_names(package):
    module = importlib.import_module(package)
    assert sorted(dir(module)) == sorted(module.__all__)
    assert module.__doc__


@pytest.mark.parametrize("package", PACKAGES)
def test_stub_and_names_agree(package):
    """What type checkers read is what is exported."""
    tree = ast.parse(STUBS[PACKAGES.index(package)].read_text(encoding="utf-8"))
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    listed = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign))
    assert sorted(imported) == sorted(listed) == sorted(importlib.import_module(package).__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_has_the_name_of_what_its_package_exports(package):
    """Importing such a module would put it in the place of the function."""
    folder = STUBS[PACKAGES.index(package)].parent
    inside = {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert not inside & {name.rpartition(".")[2] for name in EXPORTED if name.rpartition(".")[0] == package}


def test_names_are_the_same_whatever_was_imported_before():
    """In a fresh interpreter, with all modules imported first, in the order of the alphabet."""
    code = f"""
import importlib, json, pkgutil, sys, types
import starpoly
for module in pkgutil.walk_packages(starpoly.__path__, "starpoly."):
    if not module.name.startswith(("starpoly.napari_plugin", "starpoly.__main__")):
        importlib.import_module(module.name)
names = {EXPORTED!r}
found = [getattr(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in names]
print(json.dumps([name for name, one in zip(names, found) if isinstance(one, types.ModuleType)]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


def parameters(of) -> list[str]:
    """Names that a caller may give, or that a dataclass holds."""
    if dataclasses.is_dataclass(of):
        own = vars(of).get("__annotations__", {})
        return [field.name for field in dataclasses.fields(of) if field.name in own]
    if inspect.isclass(of) and (inspect.isabstract(of) or "__init__" not in vars(of)):
        return []
    try:
        names = inspect.signature(of).parameters
    except ValueError:
        return []
    return [name.lstrip("*") for name in names]


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_documented_names_have_docstrings_with_every_parameter(name):
    of = get(name)
    text = inspect.getdoc(of) or ""
    assert text.splitlines()[0].rstrip().endswith((".", ":")) or "\n\n" in text
    wanted = parameters(of)
    if not wanted:
        return
    assert re.search(r"^(Parameters|Attributes)\n-+$", text, re.M)
    told = set(re.findall(r"\w+", " ".join(re.findall(r"^(?!\s)(.+?)(?: : .*)?$", text, re.M))))
    assert [one for one in wanted if one not in told] == []


def used_paths(text: str) -> set[str]:
    """Names of starpoly that a page or a notebook imports or mentions."""
    found = set(re.findall(r"\bstarpoly(?:\.[a-z_]+)*\.\w+(?=\()", text))
    for module, names in re.findall(r"^\s*from (starpoly[\w.]*) import ([\w, ]+)$", text, re.M):
        found |= {f"{module}.{name.strip()}" for name in names.split(",")}
    return found


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, *(f"notebooks/{path.name}" for path in sorted((ROOT / "notebooks").glob("*.py")))]
)
def test_documents_use_public_paths(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    assert used_paths(text) <= set(NAMES)


def test_help_tells_what_there_is():
    import starpoly

    text = inspect.getdoc(starpoly) or ""
    for name in ("StarPoly2D", "read_image", "segment_slide", "matching", "DetectionOptions"):
        assert re.search(rf"^ +{name}\b|, {name}\b", text, re.M), name
        assert name in starpoly.__all__
    assert text.count(">>>") == 3

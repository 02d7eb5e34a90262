"""The notebooks: both forms say the same, no outputs are stored, and each runs whole, its claims asserted."""

from __future__ import annotations

import ast
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from support.documents import imported_names, reference_names

FOLDER = Path(__file__).parents[2] / "notebooks"
SCRIPTS = sorted(FOLDER.glob("*.py"))


def test_there_are_six():
    assert [path.stem for path in SCRIPTS] == [
        "1_data", "2_training", "3_inspection", "4_whole_slide", "5_challenge", "6_multiclass_and_unlabelled",
    ]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_both_forms_say_the_same_and_hold_no_outputs(script):
    text, notebook = jupytext.read(script), nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    said = [[(cell.cell_type, cell.source) for cell in form.cells] for form in (text, notebook)]
    assert said[0] == said[1], f"bring them in step: jupytext --update --to ipynb {script.name}"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_nothing_private_is_used(script):
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("starpoly"):
            assert not any(
                part.startswith("_") for part in [*node.module.split("."), *(name.name for name in node.names)]
            )
        elif isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), node.attr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_is_used_is_in_the_reference(script):
    assert imported_names(script.read_text(encoding="utf-8")) <= reference_names()


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_runs_whole(script, tmp_path, monkeypatch):
    monkeypatch.setenv("STARPOLY_SMALL", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # figures go into the notebook
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()

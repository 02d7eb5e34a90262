"""The tables of figures in the documents are made from result files, all of them, and are up to date."""

from __future__ import annotations

import json
import re
import sys

import pytest

from support.documents import DOCUMENTS, ROOT

# the scripts import one another by plain names, as they do when they are run
sys.path.append(str(ROOT / "benchmarks"))

import tables

#: A number from 0 to 1, seconds or memory in a cell of a table.
FIGURE = re.compile(r"\| *\**(?:0?\.\d\d+|\d[\d.]* (?:s|ms|MB|GB|GiB))\b[^|]*\|")
MADE = re.compile(r"<!-- (benchmark: [\w-]+|speed(: [\w-]+)?) -->.*?<!-- /(benchmark|speed(: [\w-]+)?) -->", re.DOTALL)


def test_documents_show_the_figures():
    assert tables.main(["--check"]) == 0


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_table_of_figures_is_written_by_hand(document):
    rest = MADE.sub("", (ROOT / document).read_text(encoding="utf-8"))
    assert [line for line in rest.splitlines() if line.startswith("|") and FIGURE.search(line)] == []


def test_a_figure_is_told_from_a_setting():
    assert FIGURE.search("| model | .839 | 12 |")
    assert FIGURE.search("| a slide | 1.2 s |")
    assert not FIGURE.search("| `--level N` | 0 the finest | 4 |")


def test_every_table_is_somewhere_and_every_mark_is_known():
    marks = {
        name
        for document in tables.DOCUMENTS
        for name in re.findall(r"<!-- benchmark: ([\w-]+) -->", document.read_text(encoding="utf-8"))
    }
    assert marks == set(tables.tables())


@pytest.mark.parametrize("folder", tables.MODELS, ids=lambda folder: folder.name)
def test_a_model_folder_has_the_figures_of_the_tables(folder):
    figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    (row,) = (
        row for row in tables.result("quality") if (row["label"], row["modality"]) == (folder.name, "fluorescence")
    )
    assert figures["average_precision"] == row["ap"]
    assert figures["panoptic_quality_0.5"] == row["pq"]
    assert (figures["challenge_f1_mean"], figures["challenge_f1_median"]) == (row["f1_mean"], row["f1_median"])


def test_what_is_kept_of_figures_names_no_place_on_a_machine():
    for path in tables.RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert '"command"' not in text
        assert '"/' not in text
        assert " /" not in text

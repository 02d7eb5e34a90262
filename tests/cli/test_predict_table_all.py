"""``starpoly predict --table-all``: one table of the objects of all images."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main
from starpoly.errors import OutputError
from starpoly.model import StarPoly2D
from starpoly.network import quiet

from support.inputs import grey
from support.painted import BrightModel


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Two images and a damaged one, and a model that finds whatever is bright."""
    monkeypatch.setattr(StarPoly2D, "from_pretrained", staticmethod(lambda folder, **options: BrightModel()))
    monkeypatch.setattr(quiet, "quiet_import", lambda: None)
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    Path("model", "model.json").write_text("{}")
    Path("in").mkdir()
    for name, seed in (("a", 1), ("=b", 2)):
        tifffile.imwrite(f"in/{name}.tif", grey(seed), resolution=(20_000, 20_000), resolutionunit="CENTIMETER")


def predict(*more):
    return main(["predict", "in", "-o", "out", "--model", "model", *more])


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_is_the_tables_of_all_images(capsys):
    assert predict("--table-all", "all.csv") == 0
    rows, tables = read("all.csv"), {name: read(f"out/{name}_table.csv") for name in ("=b", "a")}
    assert rows == [{"image": f"in/{name}.tif", **row} for name in tables for row in tables[name]]
    assert {"area_um2", "mean_0", "perimeter_um"} < set(rows[0])
    assert "all.csv: the objects of all images" in capsys.readouterr().err


def test_parquet():
    parquet = pytest.importorskip("pyarrow.parquet")
    assert predict("--table-all", "new/all.parquet", "--measure", "all") == 0
    table = parquet.read_table("new/all.parquet")
    assert table.num_rows == len(read("out/a_table.csv")) + len(read("out/=b_table.csv"))
    assert set(table["image"].to_pylist()) == {"in/a.tif", "in/=b.tif"}
    assert str(table.schema.field("n_neighbours").type) == "int64"
    assert np.isfinite(table["mean_0"].to_numpy()).all()


def test_rows_of_images_that_are_skipped_come_from_their_tables():
    assert predict("--table-all", "all.csv") == 0
    whole = Path("all.csv").read_bytes()
    Path("all.csv").unlink()
    Path("out/a_label.tiff").unlink()  # as if the run had been killed there
    assert predict("--table-all", "all.csv", "--skip-existing", "--json", "s.json") == 0
    assert [row["status"] for row in json.loads(Path("s.json").read_text())["images"]] == ["exists", "done"]
    assert Path("all.csv").read_bytes() == whole


def test_what_is_missing_is_told(capsys):
    Path("in/c.tif").write_bytes(b"II*\0damaged")
    assert predict("--table-all", "all.csv") == 1
    assert "in/c.tif: has no objects in all.csv, as it was not segmented" in capsys.readouterr().err
    assert {row["image"] for row in read("all.csv")} == {"in/a.tif", "in/=b.tif"}


def test_a_last_step_that_fails_costs_neither_results_nor_other_steps(capsys, monkeypatch):
    def no_room(*args, **settings):
        raise OutputError("all.csv: cannot be written (No space left on device); free space")

    monkeypatch.setattr("starpoly.prediction.run_table.write_table_of_run", no_room)
    monkeypatch.setattr("starpoly.cli.predict._write_summary", no_room)
    assert predict("--table-all", "all.csv", "--json", "s.json") == 1
    err = capsys.readouterr().err
    assert err.count("starpoly: error: all.csv: cannot be written") == 2
    assert "2 images segmented" in err
    assert len(read("out/a_table.csv"))


def test_a_dry_run_writes_nothing(capsys):
    assert predict("--table-all", "all.csv", "--dry-run") == 0
    assert not Path("all.csv").exists()
    assert "the objects of all images -> all.csv" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["all.txt", "in/a.tif", "out/a_table.csv", "in"])
def test_names_that_are_refused_before_the_work_begins(name, capsys):
    before = {path: path.read_bytes() for path in Path("in").iterdir()}
    assert predict("--table-all", name) != 0
    assert "expected a" in capsys.readouterr().err
    assert not Path("out").exists()
    assert {path: path.read_bytes() for path in Path("in").iterdir()} == before

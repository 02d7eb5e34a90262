"""A disk that is full: one line that says what to do, nothing half, and the same bytes when there is room again."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main
from starpoly.io.files.atomic import beside
from starpoly.io.writers import label_tiff, ome_zarr
from starpoly.model import StarPoly2D
from starpoly.prediction import opening

from support.painted import PaintedModel, disks, paint
from support.sinks import file_size_limit

ALL = ("--format", "zarr,geojson,rois", "--table", "--overlay")


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch):
    """Small images are segmented as large ones are, tile by tile."""
    monkeypatch.setattr(opening, "LARGEST_HELD", 0)


@pytest.fixture
def slide(tmp_path, monkeypatch):
    monkeypatch.setattr(StarPoly2D, "from_pretrained", staticmethod(lambda folder, **settings: PaintedModel()))
    monkeypatch.setattr(label_tiff, "LARGEST_PLAIN", 0)
    monkeypatch.setattr(label_tiff, "TILE", 32)
    monkeypatch.setattr(ome_zarr, "CHUNK", 64)
    for package in ("zarr", "roifile"):
        pytest.importorskip(package)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")
    path = tmp_path / "slide.tif"
    image = paint(disks((150, 130), seed=4, n=30)).astype(np.float32)
    tifffile.imwrite(path, image, tile=(32, 48), planarconfig="contig", photometric="minisblack")
    return path


def predict(slide: Path, out: Path, more: tuple[str, ...]) -> int:
    return main(["predict", str(slide), "-o", str(out), "--model", str(slide.parent / "model"), *more])


def contents(out: Path) -> dict[str, bytes]:
    """All that lies in a folder and is not hidden."""
    files = {path.relative_to(out): path for path in out.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in files.items() if name.parts[0][0] != "."}


@contextmanager
def small_disk(folder: Path, n_bytes: int) -> Iterator[None]:
    """A file system of its own, with more room afterwards."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted")
    yield
    subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True)


#: Results where there is room, by options; they do not depend on the folder.
WHOLE: dict[tuple[str, ...], dict[str, bytes]] = {}


def check(slide: Path, out: Path, more: tuple[str, ...], limited: AbstractContextManager, reason: str, capsys) -> str:
    """Run with little room, then with enough; the name of what did not find any."""
    if more not in WHOLE:
        assert predict(slide, slide.parent / "whole", more) == 0
        WHOLE[more] = contents(slide.parent / "whole")
    wanted = WHOLE[more]
    with limited:
        capsys.readouterr()
        status = predict(slide, out, more)
        errors = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
        found = contents(out)
    assert all(wanted[name] == found[name] for name in found)
    assert status == len(errors)
    if status:
        assert reason in errors[0]
        assert "repeat the command" in errors[0]
        assert (out / "slide_label.tiff").exists() == ("the labels are written" in errors[0])
    assert predict(slide, out, more) == 0
    assert contents(out) == wanted
    assert not list(out.glob(".*"))
    return re.findall(r"([^/]*): cannot be written", errors[0])[0] if errors else ""


@pytest.mark.parametrize("n_pages", [1, 2, 3, 6, 8, 12, 16, 20, 24])
def test_full_disk(slide, tmp_path, capsys, n_pages):
    out = tmp_path / "out"
    try:
        check(slide, out, ALL, small_disk(out, 4096 * n_pages), "No space left on device", capsys)
    finally:
        subprocess.run(["umount", str(out)], capture_output=True, check=False)


@pytest.mark.parametrize(
    ("limit", "more", "names"),
    [
        (100, (), [beside(Path("slide_label.tiff"), "progress").name]),
        (1000, (), [beside(Path("slide_label.tiff"), "progress").name]),
        (3000, (), ["slide_label.tiff"]),
        # an overlay would not cost the labels, which are too large as well
        (3000, ("--overlay",), ["slide_label.tiff"]),
        # both are too large, and written at the same time
        (3000, ("--format", "rois"), ["slide_rois.zip", "slide_label.tiff"]),
        (3000, ("--format", "geojson"), ["slide.geojson", "slide_label.tiff"]),
        (1600, ("--format", "zarr"), ["slide_label.tiff"]),
        (20_000, ALL, [""]),
    ],
)
def test_files_that_cannot_grow(slide, tmp_path, capsys, limit, more, names):
    if not more:
        more = ("--format", "tiff", "--roi", "0,0,150,130")  # as a slide
    assert check(slide, tmp_path / "out", more, file_size_limit(limit), "File too large", capsys) in names


@pytest.fixture(params=["in memory", "tile by tile", "a stack"])
def kind(request, slide, monkeypatch):
    """How an image is segmented."""
    if request.param != "tile by tile":
        monkeypatch.setattr(opening, "LARGEST_HELD", 1 << 30)
    if request.param == "a stack":
        plane = tifffile.imread(slide)
        stack = np.stack([plane, plane[::-1]]).transpose(0, 3, 1, 2)
        tifffile.imwrite(slide, stack, ome=True, metadata={"axes": "ZCYX"})


@pytest.mark.usefixtures("kind")
def test_what_lies_beside_the_labels_does_not_cost_them(slide, tmp_path, capsys):
    out, more = tmp_path / "out", ("--overlay", "--provenance")
    assert predict(slide, tmp_path / "whole", more) == 0
    whole = contents(tmp_path / "whole")
    out.mkdir()
    (out / "slide_overlay.png").write_bytes(b"of an earlier run")
    limit = (len(whole["slide_label.tiff"]) + len(whole["slide_overlay.png"])) // 2
    capsys.readouterr()
    with file_size_limit(limit):
        assert predict(slide, out, more) == 1
    error = capsys.readouterr().err
    assert "slide_overlay.png: cannot be written (File too large)" in error
    assert "the labels are written" in error
    found = contents(out)
    assert found.keys() == {"slide_label.tiff", "slide_provenance.json"}
    assert found["slide_label.tiff"] == whole["slide_label.tiff"]
    assert predict(slide, out, (*more, "--skip-existing")) == 0
    assert contents(out)["slide_overlay.png"] == whole["slide_overlay.png"]


@pytest.mark.usefixtures("kind")
def test_what_lies_in_place_of_an_overlay_costs_the_overlay_alone(slide, tmp_path, capsys):
    out = tmp_path / "out"
    (out / "slide_provenance.json").mkdir(parents=True)
    (out / "slide_overlay.png").symlink_to("elsewhere.png")
    assert predict(slide, out, ("--overlay", "--provenance", "--json")) == 1
    said = capsys.readouterr()
    (line,) = [line for line in said.err.splitlines() if "error" in line]
    assert line.startswith(
        f"starpoly: error: {slide}: {out}/slide_overlay.png: expected a file or a free name, got a link"
    )
    assert line.endswith("; the labels are written")
    (row,) = json.loads(said.out)["images"]
    assert row["status"] == "incomplete"
    assert row["objects"] == tifffile.imread(out / "slide_label.tiff").max() > 0
    assert f"1 image segmented, {row['objects']} objects, 1 of these without all files" in said.err
    assert (out / "slide_overlay.png").is_symlink()
    assert (out / "slide_provenance.json").is_dir()

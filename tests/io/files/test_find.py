from __future__ import annotations

import json
import os
from pathlib import Path, PurePath

import pytest

from starpoly.io.files.find import find_images
from starpoly.io.files.ignored import describe_ignored
from starpoly.io.readers.registry import READERS, SUFFIXES


@pytest.fixture(autouse=True)
def tree(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = [
        "b.png",
        "a.TIF",
        "c.jpeg",
        "x.txt",
        ".h.png",
        "a_label.tiff",
        "b_overlay.png",
        "s/d.bmp",
        "s/t/e.jpg",
        ".git/f.png",
        "out/g.png",
    ]
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def _names(*inputs, **options):
    return [str(image.path.relative_to("in")) for image in find_images(inputs, **options).images]


def test_folders_are_sorted_and_results_passed_over():
    assert _names("in") == ["a.TIF", "b.png", "c.jpeg"]
    assert _names("in", recursive=True, exclude=["in/out"]) == ["a.TIF", "b.png", "c.jpeg", "s/d.bmp", "s/t/e.jpg"]


@pytest.mark.parametrize("here", [".", "./", "./.", "../in", "../in/.", "*.*"])
def test_the_current_folder_in_any_spelling(monkeypatch, here):
    monkeypatch.chdir("in")
    found = find_images([here]).images
    assert [(image.path.name, image.subfolder) for image in found] == [
        (name, PurePath()) for name in ("a.TIF", "b.png", "c.jpeg")
    ]
    assert [image.path.name for image in find_images(["b.png", here]).images] == ["b.png", "a.TIF", "c.jpeg"]


def test_the_current_folder_and_those_in_it(monkeypatch):
    monkeypatch.chdir("in")
    found = find_images(["."], recursive=True, exclude=["out"]).images
    assert [str(image.path) for image in found] == ["a.TIF", "b.png", "c.jpeg", "s/d.bmp", "s/t/e.jpg"]
    assert [str(image.subfolder) for image in found] == [".", ".", ".", "s", "s/t"]


def test_subfolders_are_kept():
    found = find_images(["in"], recursive=True, exclude=["in/out"]).images
    assert [image.subfolder for image in found] == [PurePath()] * 3 + [PurePath("s"), PurePath("s/t")]
    found = find_images(["in/*/*.*"], recursive=True).images
    assert [(image.path.name, str(image.subfolder)) for image in found] == [("g.png", "out"), ("d.bmp", "s")]


def test_every_file_once_in_the_order_of_the_inputs():
    assert _names("in/b.png", "in", "in/../in/a.TIF") == ["b.png", "a.TIF", "c.jpeg"]


def test_patterns_in_the_output_folder_itself():
    assert _names("in/*.png", exclude=["in"]) == ["b.png"]
    assert _names("in", exclude=["in"]) == ["a.TIF", "b.png", "c.jpeg"]


def test_a_name_with_wildcards_is_a_name_first():
    Path("in/odd[1].png").write_text("")
    assert _names("in/odd[1].png") == ["odd[1].png"]


def test_named_files_are_taken_as_they_are():
    assert _names("in/x.txt") == ["x.txt"]
    assert _names("in/a_label.tiff") == ["a_label.tiff"]
    several = find_images(["in/a_label.tiff", "in/b.png"])
    assert [image.path.name for image in several.images] == ["b.png"]
    assert [path.name for path in several.passed_over] == ["a_label.tiff"]


def test_links_to_folders_are_not_followed_around():
    Path("in/s/loop").symlink_to("..", target_is_directory=True)
    assert len(_names("in", recursive=True)) == 6


def test_links_count_under_their_own_names_whether_or_not_they_lead_anywhere():
    Path("in/same.png").symlink_to("b.png")
    Path("in/nowhere.png").symlink_to("missing.png")
    Path("in/nowhere.txt").symlink_to("missing.txt")
    Path("in/itself.txt").symlink_to("itself.txt")
    assert _names("in") == ["a.TIF", "b.png", "c.jpeg", "nowhere.png", "same.png"]


def test_folders_without_images_are_told_from_inputs_that_do_not_exist():
    Path("empty").mkdir()
    found = find_images(["missing", "empty", "in/*.none"])
    assert found.empty == ("empty",)
    assert [given for given, _ in found.problems] == ["missing", "empty", "in/*.none"]


def test_a_folder_that_cannot_be_listed_costs_itself_alone(monkeypatch):
    listing = os.scandir

    def refuse(folder):
        if Path(folder).name == "t":
            raise PermissionError(13, "Permission denied")
        return listing(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_images(["in"], recursive=True, exclude=["in/out"])
    assert [image.path.name for image in found.images] == ["a.TIF", "b.png", "c.jpeg", "d.bmp"]
    assert [message for _, message in found.problems] == [
        f"{Path('in/s/t')}: expected a folder that can be listed, got: Permission denied"
    ]


def test_problems_are_listed_and_the_rest_found():
    Path("empty").mkdir()
    found = find_images(["missing", "empty", "in/*.none", "in/b.png", "in/s/t"])
    assert [image.path.name for image in found.images] == ["b.png", "e.jpg"]
    assert [given for given, _ in found.problems] == ["missing", "empty", "in/*.none"]
    assert all(message.startswith(given) and "expected" in message for given, message in found.problems)


# --- every kind that can be read


def _make(folder, *names):
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zarr":
            path.mkdir()
            (path / "zarr.json").write_text("{}")
            (path / "c" / "0").mkdir(parents=True)
            (path / "c" / "0" / "0").write_text("")
        else:
            path.write_text("")


def _found(*inputs, **options):
    return [image.path.name for image in find_images(inputs, **options).images]


def test_folders_and_patterns_find_every_suffix_of_the_registry():
    names = sorted(f"a{suffix}" for suffix in SUFFIXES)
    _make("all", *names)
    assert _found("all") == names
    assert _found("all/*") == names
    assert _found("all/**", recursive=True) == names
    assert _found(*(f"all/*{suffix}" for suffix in sorted(SUFFIXES))) == sorted(names)
    assert {"zarr", "npy", "tiff", "openslide", "raster"} <= {reader.name for reader in READERS}


def test_what_is_passed_over_is_named_by_kind():
    _make("mixed", "a.tif", "b.SVS", "c.npy", "n.txt", "o.txt", "p.txt", "q.txt", "README", "x.czi.bak", ".hidden.txt")
    _make("mixed", "a_seg.npy", "a_cp_masks.png", "broken.zarr/notes.md")
    found = find_images(["mixed"])
    assert [image.path.name for image in found.images] == ["a.tif", "b.SVS", "c.npy"]
    assert {(group.kind, group.count) for group in found.ignored} == {
        (".txt", 4), ("without suffix", 1), (".bak", 1), (".npy", 1), ("masks", 1), (".zarr", 1),
    }  # fmt: skip
    said = describe_ignored(found.ignored)
    assert said.startswith("passed over, no images: ")
    assert "4 .txt (n.txt, o.txt, p.txt, ...)" in said
    assert "\n" not in said
    assert "hidden" not in said


def test_results_of_starpoly_are_not_named():
    names = ["label.tiff", "overlay.png", "table.csv", "provenance.json", "rois.zip"]
    _make("results", "a.png", "a.geojson", "report.html", *(f"a_{name}" for name in names))
    _make("results", "a.ome.zarr")
    attributes = {"ome": {"version": "0.5", "multiscales": [], "image-label": {}}}
    Path("results/a.ome.zarr/zarr.json").write_text(json.dumps({"attributes": attributes}))
    found = find_images(["results"])
    assert [image.path.name for image in found.images] == ["a.png"]
    assert (found.ignored, describe_ignored(found.ignored)) == ((), "")


def test_a_pattern_that_matches_no_images_names_them():
    _make("mixed", "a.txt", "b.txt")
    found = find_images(["mixed/*.txt"])
    assert found.problems == (
        ("mixed/*.txt", "mixed/*.txt: expected a pattern of image files, got none among 2 matches"),
    )
    assert [(group.kind, group.count) for group in found.ignored] == [(".txt", 2)]


def test_a_zarr_is_one_image_wherever_it_lies():
    _make("slides", "a.zarr", "s/b.ome.zarr", "s/c.svs")
    Path("slides/plain").mkdir()
    Path("slides/plain/.zarray").write_text("{}")
    assert _found("slides") == ["a.zarr", "plain"]
    assert _found("slides", recursive=True) == ["a.zarr", "plain", "b.ome.zarr", "c.svs"]
    assert _found("slides/**", recursive=True) == ["a.zarr", "plain", "b.ome.zarr", "c.svs"]
    assert _found("slides/a.zarr") == ["a.zarr"]
    assert find_images(["slides"], recursive=True).ignored == ()


def test_images_in_a_plate_are_found_by_pattern():
    _make("", "plate.zarr")
    for well in ("1", "2"):
        Path("plate.zarr/A", well, "0").mkdir(parents=True)
        Path("plate.zarr/A", well, "0", "zarr.json").write_text("{}")
    found = find_images(["plate.zarr/A/*/0"]).images
    assert [str(image.path) for image in found] == [str(Path("plate.zarr/A", well, "0")) for well in ("1", "2")]


def test_brackets_in_names_are_names_first():
    _make("run[1]", "a.tif", "b*.tif", "c[2].tif", "s[3]/d.svs")
    _make("run1", "other.tif")
    assert _found("run[1]/*.tif") == ["a.tif", "b*.tif", "c[2].tif"]
    assert _found("run[1]/b*.tif") == ["b*.tif"]
    assert _found("run[1]/c[2].tif") == ["c[2].tif"]
    assert _found("run[1]") == ["a.tif", "b*.tif", "c[2].tif"]
    assert _found("run[1]/s[3]/*.svs") == ["d.svs"]
    assert _found("run[1]/*/*.svs") == ["d.svs"]
    assert _found("run[0-9]/*.tif") == ["other.tif"]
    assert _found("run?/*.tif") == ["other.tif"]


def _work(monkeypatch, n):
    """How often folders are resolved and paths compared to find ``n`` named files, half of them results."""
    counts = {"resolve": 0, "compare": 0}
    resolve, compare = Path.resolve, PurePath.__eq__

    def counted_resolve(path, *args, **options):
        counts["resolve"] += 1
        return resolve(path, *args, **options)

    def counted_compare(path, other):
        counts["compare"] += 1
        return compare(path, other)

    _make(f"many{n}", *(f"{i}{ending}" for i in range(n // 2) for ending in (".tif", "_label.tif")))
    names = [str(path) for path in sorted(Path(f"many{n}").iterdir())]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "resolve", counted_resolve)
        patch.setattr(PurePath, "__eq__", counted_compare)
        found = find_images(names)
    assert (len(found.images), len(found.passed_over)) == (n // 2, n // 2)
    return counts


def test_the_work_grows_as_the_number_of_files(monkeypatch):
    few, many = _work(monkeypatch, 100), _work(monkeypatch, 400)
    assert many["resolve"] == few["resolve"] <= 2
    assert many["compare"] <= 5 * few["compare"] + 10


def test_a_folder_is_resolved_once_however_many_files_match(monkeypatch):
    _make("many", *(f"{i}.tif" for i in range(50)))
    Path("many/out").mkdir()
    counts = []
    resolve = Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda path, *args: counts.append(path) or resolve(path, *args))
    assert len(_found("many/*.tif", exclude=["many/out"])) == 50
    assert len(counts) < 10


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("w[3]/f[12]*.tif", ["w[3]/f[12]_a.tif", "w[3]/f[12]_b.tif"]),  # as names
        ("w[3]/g[12].tif", ["w[3]/g1.tif", "w[3]/g2.tif"]),  # as a set
        ("w*/f[[]12]_a.tif", ["w[3]/f[12]_a.tif"]),
        ("w[3]/*.tif", ["w[3]/f[12]_a.tif", "w[3]/f[12]_b.tif", "w[3]/g1.tif", "w[3]/g2.tif"]),
        ("w[3]", ["w[3]/f[12]_a.tif", "w[3]/f[12]_b.tif", "w[3]/g1.tif", "w[3]/g2.tif"]),
    ],
)
def test_brackets_in_names_and_patterns(pattern, expected):
    _make("w[3]", "f[12]_a.tif", "f[12]_b.tif", "g1.tif", "g2.tif")
    assert [image.path.as_posix() for image in find_images([pattern]).images] == expected


def test_a_picture_that_is_named_like_an_overlay_of_no_image_is_told():
    _make("other", "a.png", "a_overlay.png", "b_overlay.png", "c_label.png")
    found = find_images(["other"])
    assert [image.path.name for image in found.images] == ["a.png"]
    assert (
        describe_ignored(found.ignored) == "passed over, no images: 1 masks (c_label.png), 1 overlays (b_overlay.png)"
    )

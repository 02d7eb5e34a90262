from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from starpoly.io.files.find import find_images


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
    assert _names("in") == ["a.TIF", "b.png", "c.jpeg", "nowhere.png", "same.png"]


def test_folders_without_images_are_told_from_inputs_that_do_not_exist():
    Path("empty").mkdir()
    found = find_images(["missing", "empty", "in/*.none"])
    assert found.empty == ("empty",)
    assert [given for given, _ in found.problems] == ["missing", "empty", "in/*.none"]


def test_a_folder_that_cannot_be_listed_costs_itself_alone(monkeypatch):
    listing = Path.iterdir

    def refuse(folder):
        if folder.name == "t":
            raise PermissionError(13, "Permission denied")
        return listing(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
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

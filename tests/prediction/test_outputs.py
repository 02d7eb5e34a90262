"""Names of results: of the image alone, apart within a run, whatever the order."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import pytest

from starpoly.errors import StarpolyWarning
from starpoly.io.files.find import FoundImage
from starpoly.prediction.outputs import plan_jobs


def names(*paths, wanted=(), out="out", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StarpolyWarning)
        jobs = plan_jobs([FoundImage(Path(path)) for path in paths], Path(out), wanted, **options)
    return {job.image.as_posix(): job.labels.name.removesuffix("_label.tiff") for job in jobs}


def test_a_name_does_not_depend_on_what_else_is_run():
    paths = [f"in/exp.1.0_t{k}.tif" for k in range(4)]
    together = names(*paths)
    assert together == {path: Path(path).name[:-4] for path in paths}
    for path in paths:
        assert names(path).items() <= together.items()


def test_images_of_one_name_are_told_apart_in_any_order():
    paths = ("in/a.png", "in/a.tif", "in/A.bmp", "in/b.png", "else/b.png", "in/c.png")
    expected = {
        "in/a.png": "a.png",
        "in/a.tif": "a.tif",
        "in/A.bmp": "A.bmp",  # some file systems do not tell it from a
        "in/b.png": "in_b.png",
        "else/b.png": "else_b.png",
        "in/c.png": "c",
    }
    for order in itertools.permutations(paths):
        assert names(*order) == expected


def test_names_that_differ_in_capitals_alone_are_told_apart():
    given = names("in/a.png", "in/A.png")
    assert len({name.casefold() for name in given.values()}) == 2
    assert given == names("in/A.png", "in/a.png")


def test_an_image_given_twice_does_not_hang():
    with pytest.warns(StarpolyWarning):
        jobs = plan_jobs([FoundImage(Path("a.png"))] * 3, Path("out"))
    assert len({job.labels for job in jobs}) == 3


def test_a_longer_name_that_is_taken_too():
    """The full name of one image is the usual one of another."""
    given = names("in/a.png", "in/a.tif", "in/a.png.jpg")
    assert len(set(given.values())) == 3
    assert given == names("in/a.png.jpg", "in/a.tif", "in/a.png")


@pytest.mark.parametrize("wanted", ["overlay", "zarr", "rois"])
def test_no_result_replaces_an_input(wanted):
    ending = {"overlay": "_overlay.png", "zarr": ".ome.zarr", "rois": "_rois.zip"}[wanted]
    given = names("in/a.tif", f"in/a{ending}", wanted=[wanted], out="in")
    assert given["in/a.tif"] == "a.tif"


def test_the_challenge_keeps_its_rule_for_the_first():
    given = names("a.b.c.tif", "a.b.d.tif", "a.png", "b.1.png", rule="challenge")
    assert given == {"a.b.c.tif": "a", "a.b.d.tif": "a.b.d", "a.png": "a.png", "b.1.png": "b"}


def test_a_longer_name_is_said():
    with pytest.warns(StarpolyWarning, match=r"a\.(png|tif): the usual name .*a\.(png|tif)_label\.tiff"):
        plan_jobs([FoundImage(Path("in/a.png")), FoundImage(Path("in/a.tif"))], Path("out"))


def test_labels_that_may_be_of_another_image_of_that_name_are_told(tmp_path, recwarn):
    for name in ("a.png", "a.tif", "b.png", "c.png", "c_label.tiff", "C.tif"):
        (tmp_path / name).touch()
    out = tmp_path / "out"
    out.mkdir()

    def plan(*names):
        return plan_jobs([FoundImage(tmp_path / name, Path()) for name in names], out)

    plan("a.png", "b.png", "c.png")
    for name in ("a_label.tiff", "b_label.tiff", "c_label.tiff"):
        (out / name).touch()
    plan("b.png", "c.png")
    assert not recwarn.list
    with pytest.warns(StarpolyWarning, match=r"a.tif: a_label.tiff exists, and a.png beside it would get .* -o"):
        (job,) = plan("a.tif")
    assert job.labels.name == "a_label.tiff"


def test_results_by_the_challenge_rule_that_another_image_may_have_written_are_told(tmp_path, recwarn):
    for name in ("ex.0.png", "ex.1.png", "b.0.png"):
        (tmp_path / name).touch()
    out = tmp_path / "out"
    out.mkdir()
    (out / "ex_label.tiff").touch()

    def plan(*names):
        found = [FoundImage(tmp_path / name, Path()) for name in names]
        return [job.labels.name for job in plan_jobs(found, out, rule="challenge")]

    with pytest.warns(
        StarpolyWarning, match=r"ex.1.png: ex_label.tiff exists, and ex.0.png beside it would get the same"
    ):
        assert plan("ex.1.png") == ["ex_label.tiff"]
    recwarn.clear()
    assert plan("b.0.png") == ["b_label.tiff"]
    assert not recwarn.list
    with pytest.warns(StarpolyWarning, match="the usual name of its labels is taken") as said:
        assert plan("ex.0.png", "ex.1.png") == ["ex_label.tiff", "ex.1_label.tiff"]
    assert len(said) == 1

"""Pairing of files: keys, strays, ambiguities."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from starpoly.errors import DataError
from starpoly.io.files.naming import key
from starpoly.io.files.pairing import image_files, list_folder, pair_files


def make(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tif", "a"),
        ("a.TIF", "a"),
        ("a.ome.tif", "a"),
        ("a.OME.TIFF", "a"),
        ("a.ome.png", "a"),
        ("a.ome_cp_masks.tif", "a"),
        ("a.OME_label.tif", "a"),
        ("a_label.tiff", "a"),
        ("a_labels.png", "a"),
        ("a_mask.bmp", "a"),
        ("a_masks.jpeg", "a"),
        ("a_cp_masks.tif", "a"),
        ("a_cp_masks.png", "a"),
        ("a.svs", "a"),
        ("a.npy", "a"),
        ("a.ome.zarr", "a"),
        ("a.txt", "a.txt"),
        ("a_img.jpg", "a"),
        ("a_image.tif", "a"),
        ("a_Label.tif", "a"),
        ("a_mask_label.tif", "a_mask"),  # one suffix is taken off, not all
        ("a_img_label.tif", "a"),  # the result of a_img.tif
        ("a_image_cp_masks.png", "a"),
        ("_label.tif", "_label"),  # nothing would be left
        ("a.b.c.tif", "a.b.c"),
        ("unmasked.png", "unmasked"),
        ("Zelle 1 \N{LATIN SMALL LETTER A WITH DIAERESIS}.png", "Zelle 1 \N{LATIN SMALL LETTER A WITH DIAERESIS}"),
    ],
)
def test_key(name, expected):
    assert key(name) == expected
    assert key(Path("some.folder") / name) == expected


def test_key_does_not_depend_on_how_accents_are_stored():
    name = "caf\N{LATIN SMALL LETTER E WITH ACUTE}.png"
    assert key(unicodedata.normalize("NFD", name)) == key(unicodedata.normalize("NFC", name))


def test_pairs_in_the_order_of_keys_and_names_strays(tmp_path):
    images = make(tmp_path / "images", "b.png", "a.TIF", "only.png", "notes.txt", ".a.png", ".DS_Store")
    masks = make(tmp_path / "masks", "a_label.tiff", "b.ome.tif", "stray_mask.png")
    (images / "folder.tif").mkdir()
    pairs = pair_files(images, masks)
    assert pairs.pairs == ((images / "a.TIF", masks / "a_label.tiff"), (images / "b.png", masks / "b.ome.tif"))
    assert pairs.only_first == (images / "only.png",)
    assert pairs.only_second == (masks / "stray_mask.png",)


def test_two_files_of_one_key_are_an_error_naming_both(tmp_path):
    images, masks = make(tmp_path / "images", "a.png", "a_img.tif"), make(tmp_path / "masks", "a.tif")
    with pytest.raises(DataError, match=r"'a'.*a\.png and a_img\.tif"):
        pair_files(images, masks)


def test_masks_beside_images(tmp_path):
    both = make(tmp_path / "both", "a.png", "a_label.tif", "b.png", "b_masks.png", "c.png")
    pairs = pair_files(both, both)
    assert pairs.pairs == ((both / "a.png", both / "a_label.tif"), (both / "b.png", both / "b_masks.png"))
    assert (pairs.only_first, pairs.only_second) == ((both / "c.png",), ())


def test_single_files_pair_whatever_their_names(tmp_path):
    folder = make(tmp_path / "x", "a.png", "b.npy.tif")
    assert pair_files(folder / "a.png", folder / "b.npy.tif").pairs == ((folder / "a.png", folder / "b.npy.tif"),)


def test_file_with_folder_is_refused(tmp_path):
    folder = make(tmp_path / "x", "a.png")
    with pytest.raises(DataError, match="two folders or two files"):
        pair_files(folder / "a.png", folder)


def test_missing_path_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        pair_files(tmp_path, tmp_path / "nowhere")
    with pytest.raises(DataError, match="nowhere"):
        image_files(tmp_path / "nowhere")


def test_empty_folders_pair_to_nothing(tmp_path):
    pairs = pair_files(make(tmp_path / "a"), make(tmp_path / "b"))
    assert pairs.pairs == pairs.only_first == pairs.only_second == ()


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_masks_of_cellpose_pair(tmp_path, ending):
    both = make(tmp_path / "both", "a.tif", f"a_cp_masks.{ending}", "a_seg.npy")
    assert pair_files(both, both).pairs == ((both / "a.tif", both / f"a_cp_masks.{ending}"),)
    images, masks = make(tmp_path / "images", "a.jpg"), make(tmp_path / "masks", f"a_cp_masks.{ending}")
    assert pair_files(images, masks).pairs == ((images / "a.jpg", masks / f"a_cp_masks.{ending}"),)


def make_zarr(path, *, labels=False):
    path.mkdir()
    ome = {"multiscales": []} | ({"image-label": {}} if labels else {})
    (path / "zarr.json").write_text(json.dumps({"attributes": {"ome": ome}}))


def test_every_kind_that_can_be_read_pairs(tmp_path):
    images = make(tmp_path / "images", "a.svs", "b.npy", "c.ndpi", "notes.txt")
    masks = make(tmp_path / "masks", "a.npy", "b_label.tif", "d.txt", "e.txt")
    make_zarr(images / "d.ome.zarr")
    make_zarr(masks / "c.zarr", labels=True)
    make_zarr(masks / "d_masks.zarr")
    pairs = pair_files(images, masks)
    assert [(image.name, mask.name) for image, mask in pairs.pairs] == [
        ("a.svs", "a.npy"), ("b.npy", "b_label.tif"), ("c.ndpi", "c.zarr"), ("d.ome.zarr", "d_masks.zarr"),
    ]  # fmt: skip
    assert [(group.kind, group.count) for group in pairs.ignored] == [(".txt", 1), (".txt", 2)]


def test_zarr_labels_beside_the_label_image_are_the_same_result(tmp_path):
    results = make(tmp_path / "results", "a_label.tiff", "a_table.csv", "a.geojson")
    make_zarr(results / "a.ome.zarr", labels=True)
    assert image_files(results) == [results / "a_label.tiff"]
    assert list_folder(results).ignored == ()
    (results / "a_label.tiff").unlink()
    assert image_files(results) == [results / "a.ome.zarr"]


def test_single_zarrs_pair(tmp_path):
    make_zarr(tmp_path / "a.zarr")
    image = make(tmp_path / "x", "b.tif") / "b.tif"
    assert pair_files(tmp_path / "a.zarr", image).pairs == ((tmp_path / "a.zarr", image),)


def test_a_result_that_is_named_by_the_rule_of_the_challenge_finds_its_truth(tmp_path):
    results = make(tmp_path / "results", "a_label.tiff", "b_label.tiff", "c.tif")
    truth = make(tmp_path / "truth", "a.0.tif", "b.0.tif", "b.1.tif", "c.0.tif")
    pairs = pair_files(truth, results)
    assert [(true.name, found.name) for true, found in pairs.pairs] == [("a.0.tif", "a_label.tiff")]
    assert [path.name for path in pairs.only_second] == ["b_label.tiff", "c.tif"]  # either may be b's; c is no result


def test_a_result_that_kept_the_suffix_of_its_image_finds_its_truth(tmp_path):
    results = make(
        tmp_path / "results", "a.b.png_label.tiff", "c.png_label.tiff", "c.tif_label.tiff", "d.png_label.tiff"
    )
    truth = make(tmp_path / "truth", "a.b.tif", "c.tif", "d.tif", "d.png_label.tif")
    pairs = pair_files(results, truth)
    assert [(one.name, other.name) for one, other in pairs.pairs] == [
        ("a.b.png_label.tiff", "a.b.tif"),
        ("d.png_label.tiff", "d.png_label.tif"),
    ]
    assert [path.name for path in pairs.only_first] == ["c.png_label.tiff", "c.tif_label.tiff"]  # either may be c's
    assert [path.name for path in pairs.only_second] == ["c.tif", "d.tif"]

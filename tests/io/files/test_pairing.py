"""Pairing of files: keys, strays, ambiguities."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from starpoly.errors import DataError
from starpoly.io.files.pairing import image_files, key, pair_files


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
        ("a.ome.png", "a.ome"),
        ("a_label.tiff", "a"),
        ("a_labels.png", "a"),
        ("a_mask.bmp", "a"),
        ("a_masks.jpeg", "a"),
        ("a_img.jpg", "a"),
        ("a_image.tif", "a"),
        ("a_Label.tif", "a"),
        ("a_mask_label.tif", "a_mask"),  # one suffix is taken off, not all
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

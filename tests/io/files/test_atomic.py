"""Files appear whole or not at all, and what killed processes leave does not pile up."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from starpoly.errors import OutputError
from starpoly.io.files.atomic import atomic_path, beside, make_folder, make_own_folder, new_file, not_written, remove
from starpoly.io.files.lock import locked
from starpoly.io.files.zarr_folder import new_zarr_folder


def write(path, text):
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    write(tmp_path / "a.txt", "old")
    with suppress(RuntimeError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        assert (tmp_path / "a.txt").read_text() == "old"
        raise RuntimeError
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.parametrize("left", ["file", "folder", "link"])
def test_what_a_killed_process_left_is_removed(tmp_path, left):
    part = beside(tmp_path / "a.txt", "part")
    (tmp_path / "precious").write_text("keep")
    if left == "file":
        part.write_text("half")
    elif left == "folder":
        part.mkdir()
        (part / "half").touch()
    else:
        part.symlink_to(tmp_path / "precious")
    beside(tmp_path / "a.txt", "lock").touch()
    write(tmp_path / "a.txt", "new")
    assert names(tmp_path) == ["a.txt", "precious"]
    assert (tmp_path / "precious").read_text() == "keep"


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["a.txt"]


def test_any_name_that_the_file_system_takes(tmp_path):
    write(tmp_path / ("ä" * 127), "new")
    assert names(tmp_path) == ["ä" * 127]


def test_no_name_without_the_contents_on_the_disk(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    write(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "fsync", fail)
    with (
        pytest.raises(OutputError, match=r"a\.txt: cannot be written \(Input/output error\)"),
        new_file(tmp_path / "a.txt") as path,
    ):
        path.write_text("new")
    with pytest.raises(OutputError, match="Input/output error"), new_zarr_folder(tmp_path / "a.zarr") as folder:
        (folder / "zarr.json").write_text("new")
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_lock_is_one_holders_at_a_time_and_ends_with_it(tmp_path):
    path = tmp_path / "lock"
    path.touch()  # of a process that was killed
    for _ in range(2):
        with locked(path) as held:
            assert held
            with pytest.raises(BlockingIOError), locked(path):
                pass
    assert not path.exists()


def test_where_there_are_no_locks_files_are_written_all_the_same(tmp_path):
    lock = beside(tmp_path / "a.txt", "lock")
    lock.mkdir()
    with locked(lock) as held:
        assert not held
    write(tmp_path / "a.txt", "new")
    assert names(tmp_path) == [lock.name, "a.txt"]


def zarr(folder, text):
    folder.mkdir()
    (folder / "zarr.json").write_text(json.dumps({"attributes": {"ome": {"image-label": {"source": text}}}}))


@pytest.mark.parametrize("new", ["none", "whole", "half"])
def test_a_folder_whose_replacement_was_killed(tmp_path, new):
    path = tmp_path / "a.zarr"
    old = beside(path, "old")
    zarr(old, "old")
    if new == "whole":
        zarr(path, "new")  # killed before the old one was removed
    elif new == "half":
        beside(path, "part").mkdir()
    with suppress(RuntimeError), new_zarr_folder(path) as temporary:
        assert list(temporary.iterdir()) == []
        raise RuntimeError
    assert names(tmp_path) == ["a.zarr"]
    assert ("new" if new == "whole" else "old") in (path / "zarr.json").read_text()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(OutputError, match=r"a/b: cannot be written \(Not a directory\); choose another folder$"):
        make_folder(tmp_path / "a" / "b")


@pytest.mark.parametrize(("number", "frees"), [(errno.ENOSPC, True), (errno.EACCES, False), (errno.EROFS, False)])
def test_space_is_to_be_freed_where_it_is_missing(tmp_path, number, frees):
    message = str(not_written(tmp_path / "a", OSError(number, os.strerror(number))))
    assert ("free space" in message) == frees
    assert "choose another folder" in message


SPECIAL = {
    "a link": lambda path: path.symlink_to(path.parent / "precious"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)),
}


def plant(kind, path):
    try:
        SPECIAL[kind](path)
    except PermissionError:
        pytest.skip("device nodes cannot be made")


@pytest.mark.parametrize("kind", [kind for kind in SPECIAL if kind != "a folder"] + ["a file"])
def test_what_is_no_folder_is_named_by_its_kind(tmp_path, kind):
    path = tmp_path / "out"
    path.touch() if kind == "a file" else plant(kind, path)
    with pytest.raises(OutputError, match=rf"out: expected a folder or a free name, got {kind}; choose another name"):
        make_folder(path)


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("when", ["before", "while it is written"])
def test_what_is_no_file_is_neither_replaced_nor_followed(tmp_path, kind, when):
    path = tmp_path / "a.txt"
    (tmp_path / "precious").write_text("keep")

    if when == "before":
        plant(kind, path)
    told = rf"expected a file or a free name, got {kind}; remove it or choose another name"
    with pytest.raises(OutputError, match=told), new_file(path) as temporary:
        (temporary.write_text("new"), plant(kind, path))
    assert not path.is_file() or path.is_symlink()
    assert (tmp_path / "precious").read_text() == "keep"
    assert names(tmp_path) == ["a.txt", "precious"]


def test_hidden_names_are_short_and_those_of_one_file_alike():
    longest = beside(Path("x" * 255), "progress")
    assert len(longest.name) < 32
    assert longest != beside(Path("x" * 254), "progress")
    assert beside(Path("A\u00e9.tif"), "part") == beside(Path("ae\u0301.TIF"), "part")
    assert beside(Path(os.fsdecode(b"\xff")), "part").name.isascii()


def test_a_folder_of_ours_is_no_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "own").symlink_to(tmp_path / "elsewhere")
    make_own_folder(tmp_path / "new" / "own")
    with pytest.raises(FileExistsError, match="got a link"):
        make_own_folder(tmp_path / "own")


def test_a_folder_into_which_a_thread_still_writes_is_removed(tmp_path, monkeypatch):
    folder, rmtree, calls = tmp_path / "a", shutil.rmtree, []
    folder.mkdir()

    def late(path, **how):
        rmtree(path, **how)
        calls.append(path)
        if len(calls) == 1:
            (folder / "0").mkdir(parents=True)  # by the other thread

    monkeypatch.setattr(shutil, "rmtree", late)
    remove(folder)
    assert not folder.exists()
    assert len(calls) == 2

"""Outputs that the user names: a pipe or device is written into and stays what it is, anything else is refused."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading

import pytest

from starpoly.errors import OutputError
from starpoly.io.files.named import check_named, is_stream, named_output

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")


def write(path, text="new"):
    with named_output(path) as target:
        target.write_text(text)


def test_a_file_is_written_where_it_is_named(tmp_path):
    with named_output(tmp_path / "a.json") as target:
        assert target == tmp_path / "a.json"


def test_a_pipe_gets_what_is_written(tmp_path):
    pipe, read = tmp_path / "a.json", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe)
    reader.join()
    assert read == ["new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_devices_stay_devices(tmp_path):
    assert is_stream("/dev/null")
    node = tmp_path / "null"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        write(node)
    except (PermissionError, OutputError):
        pytest.skip("device nodes cannot be made or used")
    assert stat.S_ISCHR(node.stat().st_mode)


def test_a_device_that_takes_nothing_is_said():
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with pytest.raises(OutputError, match="/dev/full: cannot be written"):
        write("/dev/full")


@pytest.mark.parametrize("target", ["pipe", "file"])
def test_stdout_by_its_name(tmp_path, target):
    code = (
        "from starpoly.io.files.named import named_output\nwith named_output('/dev/stdout') as p: p.write_text('new')"
    )
    command = [sys.executable, "-c", code]
    if target == "pipe":
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "new"
        return
    with open(tmp_path / "out", "wb") as file:
        file.write(b"before, ")
        file.flush()
        subprocess.run(command, stdout=file, check=True)
    assert (tmp_path / "out").read_text() == "before, new"


@pytest.mark.parametrize("kind", ["link to a file", "link to nothing", "link to a folder", "folder"])
def test_what_is_neither_file_nor_stream_is_refused(tmp_path, kind):
    path = tmp_path / "a.json"
    (tmp_path / "file").write_text("keep")
    (tmp_path / "folder").mkdir()
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / kind.rpartition(" ")[2])
    with pytest.raises(OutputError, match="expected a file or a free name"):
        check_named(path)
    with pytest.raises(OutputError), named_output(path):
        pytest.fail("is written")
    assert (tmp_path / "file").read_text() == "keep"

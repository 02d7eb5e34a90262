"""Damaged archives of arrays: every error is one of those that their readers expect."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from starpoly.io.files.small_npz import UNREADABLE, open_npz, read_text


def archive(header: bytes, method: int = 0) -> bytes:
    """One array with this header, whose entry claims to be packed by some method."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("state.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    content = bytearray(stream.getvalue())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = content.index(signature) + offset
        content[at : at + 2] = method.to_bytes(2, "little")
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        archive(b"{'descr': '<U3', 'fortran_order': False, 'shape': (), }\n", method=99),  # locked
        archive(b"{'descr': '<U3', 'fortran_order': False, 'shape': (), }\n", method=8),  # not packed at all
        archive(b"{'descr': '<U3', 'shape': (\n"),
        archive(b"{'descr': '''\n"),
        archive(b"(" * 500),
        b"PK\x03\x04",
    ],
)
def test_reading_ends_in_an_error_that_is_expected(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UNREADABLE), open_npz(tmp_path / "a.npz") as file:
        read_text(file, "state", 1 << 20)


def test_a_sound_text_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", state=np.array("text"))
    with open_npz(tmp_path / "a.npz") as file:
        assert read_text(file, "state", 1 << 20) == "text"

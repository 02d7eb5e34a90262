"""Which precision is chosen where."""

from __future__ import annotations

import pytest

from starpoly.errors import ConfigError
from starpoly.network.precision import choose_precision, cpu_flags, cpu_has_bfloat16


@pytest.mark.parametrize(
    ("wanted", "foreign", "fast", "chosen"),
    [
        ("auto", False, True, "bfloat16"),
        ("auto", False, False, "float32"),
        ("auto", True, True, "float32"),
        ("bfloat16", True, True, "bfloat16"),
        ("float32", False, True, "float32"),
    ],
)
def test_rules(wanted, foreign, fast, chosen):
    assert choose_precision(wanted, foreign=foreign, fast=fast) == chosen


def test_unknown_precision():
    with pytest.raises(ConfigError, match="expected one of auto, float32, bfloat16, int8, got 'half'"):
        choose_precision("half", foreign=False, fast=True)


@pytest.mark.parametrize("flags", [{"avx512_bf16"}, {"amx_bf16"}])
def test_processors_with_bfloat16(flags, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    assert cpu_has_bfloat16(flags | {"avx512f"})
    assert not cpu_has_bfloat16({"avx512f", "avx2"})
    assert not cpu_has_bfloat16(set())
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert not cpu_has_bfloat16(flags)


def test_flags_are_read_as_linux_writes_them(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(
        "processor\t: 0\nbugs\t\t: none\nflags\t\t: fpu sse avx512_bf16\n\nprocessor\t: 1\nflags\t: other\n"
    )
    assert cpu_flags(file) == {"fpu", "sse", "avx512_bf16"}
    file.write_bytes(b"Features : neon\xff\n")
    assert cpu_flags(file) == set()
    assert cpu_flags(tmp_path / "missing") == set()

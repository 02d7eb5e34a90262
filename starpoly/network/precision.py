"""Arithmetic of the network: float32, or bfloat16 if the CPU supports it, or eight-bit integers if asked for.

bfloat16 halves memory traffic and roughly halves the time.
"""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from ..errors import ConfigError
from .onednn import has_onednn

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
_INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}


def check_precision(wanted: str) -> None:
    """Check that there is such a precision.

    Raises
    ------
    ConfigError
        If ``wanted`` is none of :data:`PRECISIONS`.
    """
    if wanted not in PRECISIONS:
        raise ConfigError(f"precision: expected one of {', '.join(PRECISIONS)}, got {wanted!r}")


def choose_precision(wanted: str, *, foreign: bool, fast: bool) -> str:
    """Choose the precision.

    Parameters
    ----------
    wanted : {"auto", "float32", "bfloat16", "int8"}
    foreign : bool
        Whether the model comes from elsewhere; its users expect float32.
    fast : bool
        Whether bfloat16 is faster than float32 on this machine.

    Returns
    -------
    {"float32", "bfloat16", "int8"}

    Raises
    ------
    ConfigError
        If ``wanted`` is none of these.
    """
    check_precision(wanted)
    if wanted == "auto":
        return "bfloat16" if fast and not foreign else "float32"
    return wanted


def cpu_has_bfloat16(flags: Set[str] | None = None) -> bool:
    """Whether bfloat16 convolutions are fast on this CPU; False if unknown.

    Parameters
    ----------
    flags : set of str, optional
        CPU instruction sets in Linux's spelling. Default: those of this machine.
    """
    if not has_onednn():  # oneDNN uses them and is switched off
        return False
    return bool(_INSTRUCTIONS & (cpu_flags() if flags is None else flags))


def cpu_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Instruction sets of this CPU; empty if the system does not list them."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()

"""Refuse to run in a forked process: the threads of an engine do not come along, and it would wait for them for ever."""

from __future__ import annotations

import os

from ...errors import ModelError

#: The process in which a network was first opened.
_opened_in: list[int] = []


def check_process() -> None:
    """Note this process, or refuse if it is a fork of one that has opened a network.

    Raises
    ------
    ModelError
        In a fork.
    """
    if not _opened_in:
        _opened_in.append(os.getpid())
    elif _opened_in[0] != os.getpid():
        raise ModelError(
            "expected a process of its own for a network, got the fork of one that has opened a network, where it would "
            "hang; start processes with multiprocessing.get_context('spawn')"
        )

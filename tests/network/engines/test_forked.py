"""A network in a forked process would hang; it is refused with the remedy."""

from __future__ import annotations

import os

import pytest

from starpoly.errors import ModelError
from starpoly.network.engines import forked


def test_the_first_process_may_and_its_forks_may_not(monkeypatch):
    monkeypatch.setattr(forked, "_opened_in", [])
    forked.check_process()
    forked.check_process()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(ModelError, match="spawn"):
        forked.check_process()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_before_any_network_may(monkeypatch):
    monkeypatch.setattr(forked, "_opened_in", [])
    child = os.fork()
    if not child:
        forked.check_process()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

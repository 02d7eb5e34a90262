"""A network in a forked process would hang; it is refused with the remedy."""

from __future__ import annotations

import copy
import os

import pytest

from starpoly.errors import ModelError
from starpoly.network.engines import forked
from starpoly.network.predictor import reopen


def test_the_first_process_may_and_its_forks_may_not(monkeypatch):
    monkeypatch.setattr(forked, "_opened_in", [])
    forked.check_process()
    forked.check_process()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(ModelError, match="spawn"):
        forked.check_process()


def test_a_predictor_that_is_unpickled_in_a_fork_says_so_when_it_is_used(monkeypatch, tmp_path):
    monkeypatch.setattr(forked, "_opened_in", [1])
    found = reopen(tmp_path, "float32", True, "tensorflow", "")
    for use in (lambda: found.grid, lambda: found.precision):
        with pytest.raises(ModelError, match="spawn"):
            use()
    copy.copy(found)  # what libraries ask of any object does not fail


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_before_any_network_may(monkeypatch):
    monkeypatch.setattr(forked, "_opened_in", [])
    child = os.fork()
    if not child:
        forked.check_process()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

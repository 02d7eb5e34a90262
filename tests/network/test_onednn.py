"""oneDNN is on unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest

from starpoly.errors import StarpolyWarning
from starpoly.network import onednn
from starpoly.network.onednn import SWITCH, has_onednn, use_onednn

from support.painted import KnownModel


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0"), ("1", "1")])
def test_it_is_switched_on_unless_the_environment_says_otherwise(monkeypatch, before, after):
    monkeypatch.setenv(SWITCH, before or "")
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    if before is None:
        monkeypatch.delenv(SWITCH)
    use_onednn()
    assert os.environ[SWITCH] == after
    assert has_onednn() == (after == "1")


@pytest.mark.parametrize("chosen", [True, False])
def test_a_tensorflow_that_was_loaded_before_keeps_its_choice(monkeypatch, chosen):
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    monkeypatch.setattr(onednn, "_asked_tensorflow", lambda: chosen)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        use_onednn()
    assert [one.category for one in said] == ([] if chosen else [StarpolyWarning])
    assert SWITCH not in os.environ
    assert has_onednn() == chosen


def test_tensorflow_tells_its_choice():
    import tensorflow  # noqa: F401

    assert onednn._asked_tensorflow() == (os.environ.get(SWITCH) == "1")


def test_results_of_other_kernels_are_others(monkeypatch):
    detector = KnownModel()
    detector._predictor.weights_digest = "digest"
    fingerprint = super(KnownModel, detector).fingerprint
    monkeypatch.setenv(SWITCH, "1")
    with_onednn = fingerprint()
    monkeypatch.setenv(SWITCH, "0")
    assert fingerprint() != with_onednn


@pytest.mark.slow
def test_it_is_on_before_keras_is_imported():
    code = f"from starpoly.network.quiet import quiet_import; import os; quiet_import(); print(os.environ[{SWITCH!r}])"
    environment = {name: value for name, value in os.environ.items() if name != SWITCH}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240, check=True
    )
    assert done.stdout.strip() == "1"

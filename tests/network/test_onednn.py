"""oneDNN is on unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from starpoly.network.onednn import SWITCH, has_onednn, use_onednn


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0"), ("1", "1")])
def test_it_is_switched_on_unless_the_environment_says_otherwise(monkeypatch, before, after):
    monkeypatch.setenv(SWITCH, before or "")
    if before is None:
        monkeypatch.delenv(SWITCH)
    use_onednn()
    assert os.environ[SWITCH] == after
    assert has_onednn() == (after == "1")


def test_it_is_on_before_keras_is_imported():
    code = f"from starpoly.network.quiet import quiet_import; import os; quiet_import(); print(os.environ[{SWITCH!r}])"
    environment = {name: value for name, value in os.environ.items() if name != SWITCH}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240, check=True
    )
    assert done.stdout.strip() == "1"

"""Warnings that are collected or named, and what to install."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import warnings

import pytest

from starpoly.errors import StarpolyWarning, collected_warnings, install_command, naming, warn, without_warnings


def test_warnings_are_collected_as_they_come_and_others_are_shown():
    with collected_warnings() as messages:
        warn("ours")
        assert messages == ["ours"]
        warn("ours")
    assert messages == ["ours", "ours"]
    with pytest.warns(DeprecationWarning, match="theirs"), collected_warnings() as messages:
        warnings.warn("theirs", DeprecationWarning, stacklevel=1)
    assert messages == []


def test_collected_within_collected_belong_to_the_inner_block():
    with collected_warnings() as outer:
        with collected_warnings() as inner:
            warn("a")
        warn("b")
    assert (outer, inner) == (["b"], ["a"])


def test_an_error_ends_the_collection():
    with pytest.raises(ValueError), collected_warnings():
        raise ValueError
    with pytest.warns(StarpolyWarning, match="shown"):
        warn("shown")


def test_warnings_are_named_once():
    with collected_warnings() as messages, naming("a.png"):
        warn("dark")
        warn("a.png: bright")
    assert messages == ["a.png: dark", "a.png: bright"]


def test_the_packages_of_an_extra_are_named(monkeypatch):
    stated = ['one>=1; extra == "x"', 'two[y]>=2,<3; extra == "x"', 'three; extra == "xx"', "four"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: stated)
    assert install_command("x") == 'pip install "one>=1" "two[y]>=2,<3"'


def test_without_metadata_the_folder_is_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    assert install_command("x") == 'pip install ".[x]"'


@pytest.mark.parametrize(("screen", "shown"), [("io.StringIO()", True), ("closed", False), ("None", False)])
def test_a_warning_on_a_closed_screen_costs_nothing(screen, shown):
    code = f"""if True:
        import io, sys
        from starpoly.errors import warn
        closed = io.StringIO()
        closed.close()
        sys.stderr = screen = {screen}
        warn("looks wrong")
        print("StarpolyWarning: looks wrong" in screen.getvalue() if {shown} else "goes on")
    """
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == (["True"] if shown else ["goes", "on"])


def test_warnings_may_be_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", StarpolyWarning)
        with pytest.raises(StarpolyWarning, match="wrong"):
            warn("wrong")


def test_a_block_of_another_thread_costs_no_warnings():
    """As of numba, which compiles beside the model's load: it puts back the filters that it found."""
    other = warnings.catch_warnings()
    with collected_warnings() as first:
        other.__enter__()
        warn("one")
    with collected_warnings() as second:
        other.__exit__(None, None, None)
        warn("two")
        with without_warnings():
            warn("none")
        warn("three")
    assert (first, second) == (["one"], ["two", "three"])
    with pytest.warns(StarpolyWarning, match="four"):
        warn("four")

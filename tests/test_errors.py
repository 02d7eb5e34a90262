"""Warnings that are collected or named, and what to install."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import warnings

import pytest

from starpoly import errors
from starpoly.errors import StarpolyWarning, collected_warnings, install_command, naming


def warn(text: str, category: type[Warning] = StarpolyWarning) -> None:
    warnings.warn(text, category, stacklevel=1)


def test_warnings_are_collected_as_they_come_and_others_are_shown():
    with collected_warnings() as messages:
        warn("ours")
        assert messages == ["ours"]
        warn("ours")
    assert messages == ["ours", "ours"]
    with pytest.warns(DeprecationWarning, match="theirs"):
        warn_collected("theirs", DeprecationWarning)


def warn_collected(*warning):
    with collected_warnings() as messages:
        warn(*warning)
    assert messages == []


def test_collected_within_collected_belong_to_the_inner_block():
    with collected_warnings() as outer:
        with collected_warnings() as inner:
            warn("a")
        warn("b")
    assert (outer, inner) == (["b"], ["a"])


def test_an_error_ends_the_collection():
    show = warnings.showwarning
    with pytest.raises(ValueError), collected_warnings():
        raise ValueError
    assert warnings.showwarning is show


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
            errors.warn("wrong")

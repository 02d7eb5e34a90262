"""What is installed: ranges with a reason each, pins, a bill of materials."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from packaging.version import Version

from scripts import dependency_ranges
from scripts.replay.dockerfile import parse

ROOT = Path(__file__).parents[2]
#: Packages of which any version of the last years does; no reason is told.
PLAIN = {"matplotlib", "tqdm", "lazy-loader"}


def test_every_floor_has_a_reason():
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    lines = text.partition("install_requires =")[2].partition("[options.package_data]")[0].splitlines()
    reasons: dict[str, bool] = {}
    for above, line in itertools.pairwise(lines):
        if line.strip() and not line.strip().startswith("#"):
            reasons[re.split("[<>=]", line.strip())[0]] = above.strip().startswith("#")
    assert {name for name, has_reason in reasons.items() if not has_reason} == PLAIN


def test_the_lowest_versions_are_the_floors():
    pins = dict(line.split("==") for line in dependency_ranges.constraints("lowest"))
    assert Version(pins["zarr"]) >= Version("3.1")
    assert Version(pins["numcodecs"]) >= Version("0.16.6")
    for requirement in dependency_ranges.requirements():
        assert Version(pins[requirement.name]) in requirement.specifier
    assert {requirement.name for requirement in dependency_ranges.requirements("fast")} > {"openvino"}


def test_the_image_holds_its_bill_of_materials():
    runs = [entry.rest for entry in parse((ROOT / "Dockerfile").read_text(encoding="utf-8")) if entry.word == "RUN"]
    (step,) = [run for run in runs if "cyclonedx-py" in run]
    assert "--output-file /opt/starpoly/sbom.cdx.json /opt/starpoly" in step
    pinned = (ROOT / "docker/requirements-sbom.txt").read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("#") or re.fullmatch(r"[a-z0-9.-]+==\S+", line) for line in pinned)
    assert any(line.startswith("cyclonedx-bom==") for line in pinned)


def test_security_is_told():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for place in re.findall(r"`(tests/[\w/.]+|docs/[\w/.]+)`", text):
        assert (ROOT / place).exists(), place

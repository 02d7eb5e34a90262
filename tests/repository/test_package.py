"""The package as others get it: its names, its wheel, its declared dependencies, its map."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import starpoly

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / "starpoly").rglob("*.py"))
STUBS = sorted(path.relative_to(ROOT) for path in (ROOT / "starpoly").rglob("*.pyi"))


@pytest.mark.parametrize("name", starpoly.__all__)
def test_public_names_exist(name):
    assert getattr(starpoly, name) is not None
    assert name in dir(starpoly)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"attribute.*StarDist2D"):
        starpoly.StarDist2D  # noqa: B018


# --- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from a copy of the tree, with one more (empty) model in it."""
    tree = tmp_path_factory.mktemp("tree")
    skip = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("starpoly", "models"):
        shutil.copytree(ROOT / name, tree / name, ignore=skip)
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE", "NOTICE", "README.md"):
        shutil.copy(ROOT / name, tree)
    dummy = tree / "models" / "dummy"
    dummy.mkdir()
    for name in ("model.json", "weights.h5", "README.md"):
        (dummy / name).write_text("{}")
    build = "import setuptools.build_meta as backend; print(backend.build_wheel('dist'))"
    process = subprocess.run([sys.executable, "-c", build], cwd=tree, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return next((tree / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The wheel unpacked as pip would, away from the checkout."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run_installed(site: Path, code: str) -> str:
    path = f"import sys; sys.path.insert(0, {str(site)!r})\n"
    process = subprocess.run(
        [sys.executable, "-P", "-c", path + code], cwd=site, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def test_wheel_holds_every_module_and_no_test(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {path.as_posix() for path in [*MODULES, *STUBS]} <= set(names)
    assert "starpoly/py.typed" in names
    assert {name.split("/")[0] for name in names} == {"starpoly", f"starpoly-{starpoly.__version__}.dist-info"}


def test_wheel_holds_the_models(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"starpoly/pretrained/dummy/{name}" for name in ("model.json", "weights.h5", "README.md")} <= names
    shipped = [path.parent for path in (ROOT / "models").glob("*/model.json")]
    for folder in shipped:
        expected = {f"starpoly/pretrained/{folder.name}/{path.name}" for path in folder.iterdir()}
        assert expected <= names


def test_wheel_holds_the_demo_images_and_says_whose_they_are(wheel):
    with zipfile.ZipFile(wheel) as archive:
        images = {name for name in archive.namelist() if name.startswith("starpoly/demo_images/")}
        assert images == {path.relative_to(ROOT).as_posix() for path in (ROOT / "starpoly/demo_images").glob("*.png")}
        assert sum(archive.getinfo(name).file_size for name in images) < 1_000_000
        notice = archive.read(f"starpoly-{starpoly.__version__}.dist-info/licenses/NOTICE").decode()
    assert "CC0 1.0" in notice
    assert all(Path(name).name in notice for name in images)


def test_installed_copy_finds_its_models(installed):
    found = run_installed(installed, "import starpoly.model_zoo as r; print(r.__file__, r.find_model('dummy'))")
    assert found.count(str(installed)) == 2


def test_metadata(installed):
    metadata = next(installed.glob("*.dist-info/METADATA")).read_text()
    assert f"\nVersion: {starpoly.__version__}\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert "starpoly = starpoly.cli.main:main" in next(installed.glob("*.dist-info/entry_points.txt")).read_text()


# --- declarations that could drift

# import name -> distribution name, where they differ
DISTRIBUTIONS = {
    "skimage": "scikit-image",
    "PIL": "pillow",
    "openslide": "openslide-python",
    "lazy_loader": "lazy-loader",
}


def test_every_imported_package_is_declared():
    config = configparser.RawConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = config["options"]["install_requires"] + "".join(config["options.extras_require"].values())
    declared_names = {re.split(r"[^\w-]", line.strip(), maxsplit=1)[0].lower() for line in declared.splitlines()}
    for path in MODULES:
        for name in _imported_packages(ROOT / path) - set(sys.stdlib_module_names) - {"starpoly"}:
            assert DISTRIBUTIONS.get(name, name) in declared_names, f"{path} imports {name}"


def _imported_packages(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_architecture_has_a_row_for_every_package_and_no_other():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\|[ \d]*\| `(starpoly/[\w/.]+)` \|", text, re.M))
    inside = {path.parent for path in MODULES if path.parent != Path("starpoly")}
    loose = {path for path in MODULES if path.parent == Path("starpoly") and not path.name.startswith("_")}
    assert rows == {f"{folder.as_posix()}/" for folder in inside} | {path.as_posix() for path in loose}
    assert len(loose) == 8


def test_architecture_names_no_file_that_is_not_there():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for named in re.findall(r"`((?:\w+/)+\w+\.py)`", text):
        assert (ROOT / named).exists() or (ROOT / "starpoly" / named).exists(), named


def test_architecture_fits_on_a_page():
    lines = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 140


def test_changelog_has_this_version():
    assert f"## {starpoly.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "models/README.md"])
def test_links_between_documents_lead_somewhere(document):
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{document}: {target}"


def test_beside_a_folder_of_that_name_the_package_is_imported_not_the_folder(tmp_path):
    (tmp_path / "starpoly").mkdir()
    code = "import starpoly; print(starpoly.__version__)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert said.stdout.strip() == starpoly.__version__, said.stderr


def test_scripts_for_early_versions_find_the_readers():
    from starpoly.io import images, read_labels

    assert images.read_labels is read_labels

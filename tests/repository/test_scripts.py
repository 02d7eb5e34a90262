"""predict.sh and the environment script: POSIX, right arguments, clear refusals. Nothing is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    "predict.sh",
    "run-tests.sh",
    "scripts/environment.sh",
    "scripts/docker.sh",
    "docker/entrypoint.sh",
    "docker/warm-up.sh",
]
SHELL = shutil.which("dash") or shutil.which("sh")

pytestmark = pytest.mark.skipif(SHELL is None, reason="needs a POSIX shell")


def run_script(*arguments: str, path: Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script with ``path`` first on PATH."""
    env = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}", **environment}
    return subprocess.run([str(SHELL), *arguments], capture_output=True, text=True, cwd=cwd, env=env, check=False)


@pytest.fixture
def fake_starpoly(tmp_path) -> Path:
    """A folder with a `starpoly` that prints its arguments, one a line, and exits 3."""
    program = tmp_path / "bin" / "starpoly"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n')
    program.chmod(0o755)
    return program.parent


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_parse(script):
    subprocess.run([str(SHELL), "-n", str(ROOT / script)], check=True)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_scripts_are_shellcheck_clean(script):
    subprocess.run(["shellcheck", str(ROOT / script)], check=True)


def test_folders_and_flags_are_passed_on(fake_starpoly, tmp_path):
    done = run_script(
        str(ROOT / "predict.sh"), "my images", "Zähl ung", "--overlay", "--model", "m", path=fake_starpoly
    )
    assert done.stdout.splitlines() == [
        "predict",
        "my images",
        "-o",
        "Zähl ung",
        "--tolerant",
        "--names",
        "challenge",
        "--overlay",
        "--model",
        "m",
    ]
    assert done.returncode == 3


def test_container_has_a_model_of_its_own_and_flags_go_before_it(fake_starpoly):
    done = run_script(
        str(ROOT / "predict.sh"), "a", "b", "--model", "other", path=fake_starpoly, STARPOLY_MODEL="my model"
    )
    assert done.stdout.splitlines()[4:] == [
        "--tolerant",
        "--names",
        "challenge",
        "--model",
        "my model",
        "--model",
        "other",
    ]
    done = run_script(str(ROOT / "predict.sh"), "a", "b", path=fake_starpoly, STARPOLY_MODEL="")
    assert "--model" not in done.stdout


@pytest.mark.skipif(Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists(), reason="there is a GPU")
@pytest.mark.parametrize(("device", "lines"), [("gpu", 1), ("cpu", 0)])
def test_missing_gpu_is_said_where_one_is_expected(device, lines, fake_starpoly):
    done = run_script(str(ROOT / "predict.sh"), "a", "b", path=fake_starpoly, STARPOLY_DEVICE=device)
    assert done.stderr.count("no GPU") == len(done.stderr.splitlines()) == lines


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_kernels_that_cannot_be_added_to_are_copied(fake_starpoly, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "kernel.nbi").write_text("code")
    cache.chmod(0o555)
    (fake_starpoly / "starpoly").write_text(
        '#!/bin/sh\ncat "$NUMBA_CACHE_DIR/kernel.nbi"; touch "$NUMBA_CACHE_DIR/another"\n'
    )
    done = run_script(
        str(ROOT / "predict.sh"), "a", "b", path=fake_starpoly, NUMBA_CACHE_DIR=str(cache), TMPDIR=str(tmp_path)
    )
    assert (done.stdout, done.returncode) == ("code", 0)


@pytest.mark.skipif(Path("/workspace/inputs").exists(), reason="this is the container")
def test_without_arguments_the_demo_runs(fake_starpoly, tmp_path):
    done = run_script(str(ROOT / "predict.sh"), path=fake_starpoly, cwd=tmp_path)
    assert done.stdout.splitlines() == ["demo", "-o", "outputs"]


@pytest.mark.parametrize("arguments", [["only-input"], ["--overlay", "a", "b"]])
def test_wrong_arguments_are_refused_in_one_line(arguments, fake_starpoly):
    done = run_script(str(ROOT / "predict.sh"), *arguments, path=fake_starpoly)
    assert done.returncode == 2
    assert "expected INPUT OUTPUT" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_help_shows_the_usage(fake_starpoly):
    done = run_script(str(ROOT / "predict.sh"), "--help", path=fake_starpoly)
    assert done.returncode == 0
    assert "sh predict.sh INPUT OUTPUT" in done.stdout


def test_machine_without_a_suitable_python_is_told_so(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cat", "cksum", "dirname"):
        (tools / name).symlink_to(str(shutil.which(name)))
    env = {"PATH": str(tools)}
    command = [str(SHELL), str(ROOT / "scripts/environment.sh"), str(tmp_path / "venv")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 1
    assert "expected Python 3.11 to 3.13" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_complete_environment_is_left_alone(tmp_path):
    """A second call with unchanged dependencies must not even look for a Python."""
    checkout, venv = tmp_path / "checkout", tmp_path / "venv"
    (checkout / "scripts").mkdir(parents=True)
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "scripts/environment.sh"):
        shutil.copy(ROOT / name, checkout / name)
    (venv / "bin").mkdir(parents=True)
    # a Python that records how it was called stands for the machine's and for the environment's
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$*" >>"{tmp_path}/calls"\n')
    python.chmod(0o755)
    shutil.copy(python, venv / "bin" / "python")
    command = [str(SHELL), str(checkout / "scripts/environment.sh"), str(venv), "dev"]
    env = {**os.environ, "PYTHON": str(python)}
    for _ in range(2):
        subprocess.run(command, check=True, env=env, capture_output=True)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert sum("pip install" in call and call.endswith("[dev]") for call in calls) == 1
    # a changed dependency installs again
    (checkout / "setup.cfg").write_text((checkout / "setup.cfg").read_text() + "# changed\n")
    subprocess.run(command, check=True, env=env, capture_output=True)
    assert sum("pip install" in call for call in (tmp_path / "calls").read_text().splitlines()) == 2

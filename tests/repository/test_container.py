"""The container without Docker: its files say what they should, and a replay of them keeps the challenge's contract."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from scripts.replay import base, box, build, container
from scripts.replay.dockerfile import DockerfileError, Ignore, command, context_files, copied, pairs, parse, substitute

ROOT = Path(__file__).parents[2]
SHELL = shutil.which("dash") or shutil.which("sh")
INSTRUCTIONS = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))


def rests(word: str) -> list[str]:
    return [entry.rest for entry in INSTRUCTIONS if entry.word == word]


def environment() -> dict[str, str]:
    variables: dict[str, str] = {"DEVICE": "gpu", "PATH": "/usr/bin"}
    for rest in rests("ENV"):
        variables |= pairs(rest, variables)
    return variables


# --- the Dockerfile


def test_base_is_slim_and_its_release_is_named():
    assert re.fullmatch(r"python:3\.11-slim-bookworm", rests("FROM")[0])


def test_it_starts_the_challenge_where_the_challenge_looks():
    assert rests("WORKDIR") == ["/workspace"]
    assert command(rests("CMD")[0]) == ["sh", "predict.sh"]
    assert command(rests("ENTRYPOINT")[0]) == ["entrypoint"]


def test_caches_are_named_and_lie_together():
    variables = environment()
    caches = [variables[name] for name in ("STARPOLY_CACHE", "NUMBA_CACHE_DIR", "KERAS_HOME", "MPLCONFIGDIR")]
    assert {str(Path(path).parent) for path in caches} == {"/opt/starpoly/cache"}
    warm_up = (ROOT / "docker/warm-up.sh").read_text(encoding="utf-8")
    assert all(f'"${name}"' in warm_up for name in ("STARPOLY_CACHE", "NUMBA_CACHE_DIR", "KERAS_HOME", "MPLCONFIGDIR"))


def test_kernels_are_for_no_particular_processor():
    assert environment()["NUMBA_CPU_NAME"] == "generic"


def test_gpu_memory_is_taken_as_needed():
    assert environment()["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def test_nothing_is_fetched_but_pinned_packages():
    for rest in rests("RUN"):
        for call in re.findall(r"pip install [^&;]*", rest):
            assert "--no-deps" in call
            assert "--no-cache-dir" in call
            assert "-r /opt/requirements/" in call or "--no-index" in call
        assert not re.search(r"curl|wget|apt-get|git ", rest)


def test_layers_are_few():
    assert len(rests("RUN") + rests("COPY")) <= 6


# --- what goes in


def test_context_is_the_package_its_models_and_nothing_private():
    files = context_files(ROOT)
    tops = {name.split("/")[0] for name in files}
    assert tops == {
        "LICENSE",
        "NOTICE",
        "README.md",
        "docker",
        "models",
        "predict.sh",
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
        "starpoly",
    }
    assert not any("__pycache__" in name or "/." in name for name in files)


def test_context_has_all_that_is_installed():
    files = set(context_files(ROOT))
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "starpoly").rglob("*.py")}
    models = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "models").rglob("*")
        if path.is_file() and path.name[0] != "."
    }
    assert modules | models | {"starpoly/py.typed"} <= files


def test_every_copied_file_exists():
    files = context_files(ROOT)
    for rest in rests("COPY"):
        assert copied(rest, files, "/")


def pins(name: str) -> dict[str, Version]:
    lines = (ROOT / "docker" / name).read_text(encoding="utf-8").splitlines()
    found = [line.partition("==") for line in lines if not line.startswith("#")]
    assert all(version for _, _, version in found), f"{name}: not pinned"
    return {package: Version(version) for package, _, version in found}


def test_pins_are_what_the_package_asks_for():
    import configparser

    config = configparser.RawConfigParser()
    config.read(ROOT / "setup.cfg")
    pinned = pins("requirements.txt")
    for line in config["options"]["install_requires"].split("\n"):
        if line:
            wanted = Requirement(line)
            assert pinned[wanted.name] in wanted.specifier, line
    # without an index and without isolation the package is built with what is there
    assert pinned["setuptools"] >= Version("70.1")


def test_pins_of_a_gpu_are_apart():
    cuda = pins("requirements-cuda.txt")
    assert cuda
    assert all(name.startswith("nvidia-") for name in cuda)
    assert not any(name.startswith("nvidia-") for name in pins("requirements.txt"))


# --- the entry point


@pytest.fixture
def machine(tmp_path):
    """A folder for PATH with an `id`, `stat` and `setpriv` that answer as told; runs the entry point."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def run(uid: int, mode: str, owner: str, *, may_change_user: bool = True) -> list[str]:
        answers = {
            "id": f"echo {uid}",
            "stat": f"case $2 in %A) {f'echo {mode}' if mode else 'exit 1'} ;; *) echo {owner} ;; esac",
            "setpriv": 'printf "%s\\n" setpriv "$@"' if may_change_user else "exit 1",
            "job": 'printf "%s\\n" job "$@"',
        }
        for name, text in answers.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        env = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        words = [str(SHELL), str(ROOT / "docker/entrypoint.sh"), "job", "two words"]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


needs_shell = pytest.mark.skipif(SHELL is None, reason="needs a POSIX shell")


@needs_shell
def test_entry_point_becomes_the_owner_of_the_outputs_without_privileges(machine):
    words = machine(0, "drwxr-xr-x", "1000:100")
    assert words[-2:] == ["job", "two words"]
    begin = words.index("--reuid")
    assert words[begin : begin + 4] == ["--reuid", "1000", "--regid", "100"]
    assert {"--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"} <= set(words)


@needs_shell
@pytest.mark.parametrize("mode", ["drwxrwxrwx", "drwxrwxrwt", ""])
def test_entry_point_is_nobody_where_everybody_may_write(machine, mode):
    words = machine(0, mode, "0:0")
    assert words[words.index("--reuid") + 1] == "10001"


@needs_shell
def test_entry_point_leaves_a_chosen_user_alone(machine):
    assert machine(1234, "drwxr-xr-x", "1000:100") == ["job", "two words"]


@needs_shell
def test_entry_point_goes_on_where_users_cannot_be_changed(machine):
    assert machine(0, "drwxr-xr-x", "1000:100", may_change_user=False) == ["job", "two words"]


# --- what is written about it


@pytest.mark.parametrize("name", ["challenge.md", "container.md"])
def test_what_the_documents_name_exists(name):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (ROOT / "docs" / target).exists(), target
    for script in re.findall(r"(?:sh|python|python3\.11) ((?:\w+/)*\w+\.(?:sh|py))", text):
        assert (ROOT / script).exists() or script == "predict.sh", script
    arguments = {rest.partition("=")[0] for rest in rests("ARG")}
    assert set(re.findall(r"--build-arg (\w+)=", text)) <= arguments


# --- scripts/docker.sh


@pytest.fixture
def docker(tmp_path):
    """Runs scripts/docker.sh with a `docker` that prints its arguments."""
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n[ "$1" != save ] || echo layers >"$3"\n')
    program.chmod(0o755)

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "DOCKER": str(program), **variables}
        command = [str(SHELL), str(ROOT / "scripts/docker.sh"), *words]
        return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@needs_shell
def test_docker_run_is_the_challenges_command(docker, tmp_path):
    (tmp_path / "in here").mkdir()
    words = docker("run", "in here", "out", NAME="team").stdout.splitlines()
    assert words == [
        *["container", "run", "--gpus", "device=0", "-m", "28G", "--name", "team", "--rm", "-v"],
        f"{tmp_path}/in here/:/workspace/inputs/", "-v", f"{tmp_path}/out/:/workspace/outputs/",
        "team:latest", "/bin/bash", "-c", "sh predict.sh",
    ]  # fmt: skip
    assert "--gpus" not in docker("run", "in here", "out", GPUS="").stdout


@needs_shell
def test_docker_build_tags_latest(docker):
    assert docker("build", "--build-arg", "DEVICE=cpu").stdout.splitlines() == [
        "build", "-t", "starpoly:latest", "--build-arg", "DEVICE=cpu", str(ROOT),
    ]  # fmt: skip


@needs_shell
def test_docker_save_writes_one_file(docker, tmp_path):
    import gzip

    assert docker("save", NAME="team").returncode == 0
    assert gzip.decompress((tmp_path / "team.tar.gz").read_bytes()) == b"layers\n"
    assert sorted(path.name for path in tmp_path.glob("team*")) == ["team.tar.gz"]


@needs_shell
def test_docker_script_says_what_it_expects(docker):
    done = docker("push")
    assert done.returncode == 2
    assert "expected build, run or save, got 'push'" in done.stderr


# --- reading a Dockerfile


def test_continued_lines_and_comments():
    text = "# syntax\nFROM a\n\nRUN one \\\n# not this\n   && two \\\n\n   && three\n"
    assert [(entry.line, entry.word, entry.rest) for entry in parse(text)] == [
        (2, "FROM", "a"),
        (4, "RUN", "one && two && three"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "RUN true",
        "FROM a\nFROM b",
        "FROM a\nADD b c",
        "FROM a\nRUN --mount=type=bind true",
        "FROM a\nRUN cat <<E\nE",
        "FROM a\nRUN b \\",
    ],
)
def test_what_cannot_be_followed_is_refused(text):
    with pytest.raises(DockerfileError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A/b", "1/b"),
        ("${A}b", "1b"),
        ("${B:-x}", "x"),
        ("${A:-x}", "1"),
        ("${A:+x}", "x"),
        ("${B:+x}", ""),
        (r"\$A", "$A"),
        ("$B", ""),
    ],
)
def test_substitution(text, value):
    assert substitute(text, {"A": "1"}) == value


def test_environment_of_one_instruction_does_not_see_itself():
    assert pairs('A=2 B="$A b" C=$A', {"A": "1"}) == {"A": "2", "B": "1 b", "C": "1"}


@pytest.mark.parametrize(
    ("rest", "targets"),
    [
        ("a.txt /x/", {"a.txt": "/x/a.txt"}),
        ("a.txt y", {"a.txt": "/srv/y"}),
        ("d /x", {"d/b": "/x/b", "d/e/c": "/x/e/c"}),
        ("a.txt d/b /x", {"a.txt": "/x/a.txt", "d/b": "/x/b"}),
        (". /x", {"a.txt": "/x/a.txt", "d/b": "/x/d/b", "d/e/c": "/x/d/e/c"}),
    ],
)
def test_copy(rest, targets):
    assert copied(rest, ["a.txt", "d/b", "d/e/c"], "/srv") == targets


@pytest.mark.parametrize("rest", ["missing /x", "--chown=1 a /x", "*.txt /x"])
def test_copy_of_what_is_not_there_is_refused(rest):
    with pytest.raises(DockerfileError):
        copied(rest, ["a.txt"], "/")


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("x", True),
        ("a/b/state.npz", True),
        ("a/b/c", False),
        ("a/b/__pycache__/m.pyc", True),
        ("a/.secret", True),
        ("d/keep.md", False),
        ("d/other", True),
    ],
)
def test_ignored_files(path, ignored):
    rules = Ignore("*\n!a\n# comment\n!d/*.md\n**/__pycache__\n**/.*\na/*/*.npz\n")
    assert rules.ignores(path) == ignored


# --- the replay


def can_make_boxes() -> bool:
    """Whether this user may make namespaces and mount in them."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    words = [
        "unshare",
        "--mount",
        "--net",
        "--pid",
        "--fork",
        *(() if os.geteuid() == 0 else ("--user", "--map-root-user")),
        "true",
    ]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


needs_boxes = pytest.mark.skipif(not can_make_boxes(), reason="needs the right to make namespaces")


@pytest.fixture
def engine(tmp_path) -> container.Engine:
    """An empty image on top of this machine's programs, with predict.sh and a starpoly that says what it sees."""
    tmp_path.chmod(0o755)
    below = base.this_machine(tmp_path)
    workspace = tmp_path / "layer" / "workspace"
    for name in ("inputs", "outputs"):
        (workspace / name).mkdir(parents=True)
    shutil.copy(ROOT / "predict.sh", workspace)
    program = tmp_path / "layer" / "opt" / "bin" / "starpoly"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$@"\necho labels >/workspace/outputs/a_label.tiff\n')
    program.chmod(0o755)
    variables = below.environment | {"PATH": f"/opt/bin:{below.environment['PATH']}", "STARPOLY_DEVICE": "gpu"}
    image = build.Image(
        (tmp_path / "layer", below.folder), below.borrowed, variables, cwd="/workspace", command=("sh", "predict.sh")
    )
    return container.Engine(image, tmp_path / "work", memory=2**30)


def folders(path: Path) -> tuple[Path, Path]:
    for name in ("in", "out"):
        (path / name).mkdir()
    return path / "in", path / "out"


@needs_boxes
def test_challenges_command_reaches_starpoly(engine, tmp_path):
    inputs, outputs = folders(tmp_path)
    ended = engine.challenge(inputs, outputs, command=("/bin/sh", "-c", "sh predict.sh"), quiet=True)
    assert ended.done.status == 0, ended.done.output
    assert "--model" not in ended.done.output
    assert "predict /workspace/inputs -o /workspace/outputs --tolerant" in ended.done.output
    assert ended.done.output.count("no GPU") == (0 if Path("/dev/nvidiactl").exists() else 1)
    assert (outputs / "a_label.tiff").read_text() == "labels\n"
    assert ended.written == ()


@needs_boxes
def test_box_is_as_narrow_as_a_container(engine, tmp_path):
    inputs, outputs = folders(tmp_path)
    script = (
        "df -k /dev/shm | tail -1; ls /sys/class/net; cat /proc/net/route; touch /workspace/inputs/x; touch /opt/mine; "
        f"ls '{ROOT}'; test -e /dev/null && echo null; grep CapBnd /proc/self/status"
    )
    ended = engine.challenge(inputs, outputs, command=("/bin/sh", "-c", script), quiet=True)
    said = ended.done.output
    assert " 65536 " in said
    assert "eth0" not in said.split("Iface")[-1]
    assert "inputs/x': Read-only file system" in said
    assert f"'{ROOT}': No such file" in said
    assert "null" in said.splitlines()
    assert re.search(r"CapBnd:\s+00000000a80425fb", said)
    assert ended.written == ("opt/mine",)
    assert list(inputs.iterdir()) == []


@needs_boxes
def test_read_only_box_can_write_outputs_alone(engine, tmp_path):
    inputs, outputs = folders(tmp_path)
    script = "touch /tmp/x; touch /workspace/x; touch /workspace/outputs/x && touch /dev/shm/x && echo both"
    ended = engine.challenge(inputs, outputs, command=("/bin/sh", "-c", script), quiet=True, read_only=True)
    assert ended.done.output.count("Read-only file system") == 2
    assert "both" in ended.done.output


@needs_boxes
def test_memory_is_limited(engine, tmp_path):
    inputs, outputs = folders(tmp_path)
    grow = "python3 -c 'b = bytes(1) * 2**31; print(len(b))' && echo fits"
    ended = engine.challenge(inputs, outputs, command=("/bin/sh", "-c", grow), quiet=True)
    assert ended.done.status != 0
    assert "fits" not in ended.done.output


@needs_boxes
def test_status_is_passed_on(engine):
    assert engine.start(("/bin/sh", "-c", "exit 7"), quiet=True).done.status == 7
    assert engine.start(("/nothing",), quiet=True).done.status != 0


def test_steps_are_kept_until_something_in_them_changes(tmp_path, monkeypatch):
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM a\nARG KIND=x\nCOPY file /\nRUN make $KIND\nWORKDIR /there\n")
    (context / "file").write_text("1")
    ran = []

    def run(box_, words, variables, cwd):
        ran.append((words[-1], variables["KIND"]))
        return box.Done(0, 0.0, 0, None)

    monkeypatch.setattr(build, "run", run)
    monkeypatch.setattr(base, "build_network", lambda: ({}, []))
    monkeypatch.setattr(base, "this_machine", lambda folder: base.Base(tmp_path, {}))

    def follow(**arguments: str) -> build.Image:
        return build.Builder(context, tmp_path / "work", arguments, on_this_machine=True).build()

    first = follow()
    assert [layer.name for layer in follow().layers] == [layer.name for layer in first.layers]
    assert ran == [("make $KIND", "x")]
    assert (first.layers[-2] / "file").read_text() == "1"
    follow(KIND="y")
    (context / "file").write_text("2")
    follow()
    assert ran == [("make $KIND", "x"), ("make $KIND", "y"), ("make $KIND", "x")]
    with pytest.raises(DockerfileError, match="expected build arguments"):
        follow(UNKNOWN="1")


@pytest.mark.slow
@pytest.mark.skipif(
    "STARPOLY_REPLAY" not in os.environ, reason="set STARPOLY_REPLAY to a folder for 4 GB; downloads TensorFlow once"
)
def test_replayed_container_keeps_the_contract():
    words = [
        sys.executable,
        str(ROOT / "scripts/replay_dockerfile.py"),
        "--work",
        os.environ["STARPOLY_REPLAY"],
        "check",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5000:]

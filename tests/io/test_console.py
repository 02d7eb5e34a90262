"""Programs without a console: no stream, a closed one, one that lacks methods."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from starpoly.cli.main import main
from starpoly.io import console
from starpoly.network.quiet import filtered_stderr


class Bare:
    """A stream with nothing but write, as programs with a window make."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


class Broken(io.StringIO):
    """The other end is gone."""

    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


STREAMS = [lambda: None, closed, Bare, Broken]


@pytest.mark.parametrize("stream", STREAMS)
def test_messages_and_bars_need_no_console(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream())
    console.say("hello")
    console.flush()
    assert list(console.progress_bar(range(3), shown=True, desc="steps")) == [0, 1, 2]
    with console.progress_bar(total=3) as bar:
        bar.update(1)
        bar.set_postfix_str("x")
    with filtered_stderr():
        os.write(2, b"")
    if isinstance(sys.stderr, Bare):
        assert sys.stderr.text == "hello\n"


@pytest.mark.parametrize("stream", STREAMS)
def test_a_command_needs_no_console(monkeypatch, tmp_path, stream):
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["models", "list"]) == 0
    assert main(["predict", str(tmp_path), "-o", str(tmp_path / "o")]) == 2
    with pytest.raises(SystemExit) as stop:
        main(["predict"])
    assert stop.value.code == 2
    assert sys.stdout is None


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_closed_descriptors_are_not_given_to_files(tmp_path):
    code = (
        "import os, sys; from starpoly.io.console import with_streams\n"
        "with with_streams():\n"
        f" file = open({str(tmp_path / 'a')!r}, 'w'); print(file.fileno() > 2, file=open({str(tmp_path / 'b')!r}, 'w'))"
    )
    subprocess.run(["sh", "-c", f'exec "{sys.executable}" -c "$0" >&- 2>&-', code], check=True, timeout=60)
    assert (tmp_path / "b").read_text() == "True\n"


def test_libraries_are_silent_and_python_is_not(capfd):
    for _ in range(2):
        with console.silent_libraries():
            os.write(2, b"libpng warning")
        console.say("said")
    assert capfd.readouterr().err == "said\nsaid\n"


def test_names_cannot_command_the_terminal(capsys):
    console.say("a\x1b[2J\r\u202eb \u00e4 \u65e5\nline")
    assert capsys.readouterr().err == "a\\x1b[2J\\r\\u202eb \u00e4 \u65e5\nline\n"


@pytest.fixture
def minutes(monkeypatch):
    """A clock that a test sets, and stderr that is no terminal."""
    from starpoly.io.progress_lines import ProgressLines

    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(ProgressLines, "_time", clock, raising=False)
    init = ProgressLines.__init__

    def with_clock(self, *args, **settings):
        monkeypatch.setattr("tqdm.std.time", clock)
        init(self, *args, **settings)

    monkeypatch.setattr(ProgressLines, "__init__", with_clock)
    return clock


def test_without_a_terminal_a_line_a_minute(capsys, minutes):
    with console.progress_bar(total=96, desc="images", unit="image") as bar:
        for _ in range(12):
            minutes.now += 25
            bar.set_postfix_str("4321 objects, 2 to look at", refresh=False)
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "starpoly: images: 3 of 96, about 39 min left; 4321 objects, 2 to look at"
    assert [line.split()[2] for line in lines] == ["3", "6", "9", "12"]


def test_the_first_step_does_not_count_in_the_time_left(capsys, minutes):
    with console.progress_bar(total=7, desc="images", unit="image") as bar:
        for seconds in (70, 5, 60):
            minutes.now += seconds
            bar.update()
    assert capsys.readouterr().err.splitlines() == [
        "starpoly: images: 1 of 7",
        "starpoly: images: 3 of 7, about 2 min left",
    ]


def test_short_work_says_nothing(capsys, minutes):
    assert list(console.progress_bar(range(40), desc="images")) == list(range(40))
    with console.progress_bar(total=2.0, desc="3 tiles", unit="MP") as bar:
        bar.update(0.5)
        minutes.now += 61
        bar.update(0.25)
    assert capsys.readouterr().err == "starpoly: 3 tiles: 0.8 of 2 MP, about 5 min left\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59, "59 s"), (61, "1 min"), (7200, "2 h"), (5400, "1 h 30 min")]
)
def test_times_for_people(seconds, text):
    assert console.duration(seconds) == text


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_that_is_not_wanted(monkeypatch, capsys, is_terminal):
    monkeypatch.setattr(console, "is_terminal", lambda stream: is_terminal)
    with console.without_progress(), console.without_progress(False):
        assert console.progress_bar(total=3).disable
    with console.progress_bar(total=3) as bar:
        assert not bar.disable


@pytest.mark.parametrize("flags", [["--quiet"], []])
def test_a_quiet_command_shows_no_progress(monkeypatch, flags):
    shown = []

    def run(args):
        shown.append(not console.progress_bar(range(3)).disable)
        return 0

    monkeypatch.setattr("starpoly.cli.evaluate.run", run)
    assert main(["evaluate", "a", "b", *flags]) == 0
    assert shown == [not flags]

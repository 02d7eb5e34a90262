"""Values out of range and mistyped names: two lines that say what to write."""

from __future__ import annotations

import re
import shlex
from importlib import import_module

import pytest

from starpoly.cli.main import COMMANDS, build_parser, main
from starpoly.cli.parser import nearest

PREDICT = ["predict", "a.png", "-o", "out"]
TRAIN = ["train", "--images", "a", "--masks", "b", "-o", "m"]


def error_of(capsys, *argv):
    with pytest.raises(SystemExit) as stop:
        main([*argv])
    assert stop.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage: starpoly")
    return error


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([*PREDICT, "--nms-threshold", ",3"], "expected a number from 0 to 1, got ',3'; write .3"),
        ([*PREDICT, "--min-confidence", "1.5"], "expected a number from 0 to 1, got '1.5'"),
        ([*PREDICT, "--scale", "1,25"], "expected a positive number, got '1,25'; write 1.25"),
        ([*PREDICT, "--scale", "half"], "expected a positive number, got 'half'"),
        (
            [*PREDICT, "--diameter", "7,5um"],
            "expected auto, pixels such as 15, or micrometres such as 12um, got '7,5um'; write 7.5um",
        ),
        ([*PREDICT, "--diameter", "1e9"], "expected a diameter of at most 100,000, got '1e9'"),
        ([*PREDICT, "--diameter", "-3"], "expected auto, pixels"),
        ([*PREDICT, "--readers", "0"], "expected a whole number of 1 or more, got '0'"),
        ([*PREDICT, "--level", "-1"], "expected a whole number of 0 or more, got '-1'"),
        ([*PREDICT, "--expand", "2,5 um"], "got '2,5 um'; write 2.5 um"),
        ([*PREDICT, "--memory", "1,5G"], "got '1,5G'; write 1.5G"),
        ([*PREDICT, "--pixel-size", "0,65"], "got '0,65'; write 0.65"),
        (
            [*PREDICT, "--pixel-size", "1,5"],
            "got '1,5'; write 1.5 with a decimal point, or 1.0,5.0 for pixels so unlike",
        ),
        ([*PREDICT, "--memory", "much"], "expected a size such as 8G or 500M, got 'much'"),
        ([*PREDICT, "--channels", "0;2"], "expected channels by index from 0 or name, divided by commas, got '0;2'"),
        ([*PREDICT, "--channels", "-1"], "expected channels by index from 0 or name, divided by commas, got '-1'"),
        ([*PREDICT, "--channels", "1.5"], "expected channels by index from 0 or name, divided by commas, got '1.5'"),
        ([*PREDICT, "--z", "3:1"], "expected a range that holds planes, got '3:1', which is empty"),
        ([*PREDICT, "--z", "0,-1:-3"], "expected a range that holds planes, got '-1:-3', which is empty"),
        ([*PREDICT, "--t", "::0"], "expected a step other than 0, got '::0'"),
        ([*PREDICT, "--roi", "-5,0,10,20"], "expected Y0,X0,Y1,X1 with Y0 < Y1 and X0 < X1, got '-5,0,10,20'"),
        ([*PREDICT, "--memory", "-8G"], "expected a size such as 8G or 500M, got '-8G'"),
        ([*PREDICT, "--diameter", "-5um"], "or micrometres such as 12um, got '-5um'"),
        ([*PREDICT, "--measure", "shap"], "argument --measure: expected some of shape"),
        ([*PREDICT, "--measure", "shap"], "did you mean shape?"),
        ([*PREDICT, "--format", "geojsn"], "did you mean geojson?"),
        ([*PREDICT, "--format", "geo"], "did you mean geojson?"),
        ([*PREDICT, "--precision", "floot32"], "did you mean float32?"),
        ([*TRAIN, "--learning-rate", "3,5e-4"], "expected a number, got '3,5e-4'"),
        ([*TRAIN, "--epochs", "10.0"], "expected a whole number, got '10.0'"),
        ([*TRAIN, "--val-fraction", "0,2"], "expected a number, got '0,2'; write 0.2"),
        ([*TRAIN, "--inspect-every", "-1"], "expected a whole number of 0 or more, got '-1'"),
        (["evalute", "a", "b"], "did you mean evaluate?"),
    ],
)
def test_values_out_of_range_say_what_to_write(capsys, argv, expected):
    error = error_of(capsys, *argv)
    assert expected in error
    assert "value:" not in error  # argparse's "invalid _diameter value: ..." names functions


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([*PREDICT, "--recursve"], "--recursive"),
        ([*PREDICT, "--threshold=.5"], "--prob-threshold or --nms-threshold"),
        ([*PREDICT, "--skip_existing"], "--skip-existing"),
        ([*TRAIN, "--bach-size", "4"], "--batch-size"),
        ([*PREDICT, "--minconf", "4"], "--min-confidence"),
        (["predict", "a.png", "--outptu", "x"], "--output"),
        ([*PREDICT, "-overlay"], "--overlay"),
        (["predict", "a.png", "-output", "o2"], "--output"),
        (["predict", "a.png", "-output=o2"], "--output"),
        ([*TRAIN, "-batch"], "--batch-size"),
    ],
)
def test_mistyped_options_get_a_suggestion(capsys, argv, expected):
    assert f"did you mean {expected}?" in error_of(capsys, *argv)


@pytest.mark.parametrize("unit", ["µm", "um", "G", "px"])
def test_a_unit_set_off_by_a_space(capsys, unit):
    assert f"got {unit}; write a unit without a space before it, as in 12{unit}" in error_of(
        capsys, *PREDICT, "--diameter", "12", unit
    )


def test_a_value_may_follow_its_letter_at_once():
    parsed = build_parser().parse_args(["predict", "a.png", "-oresults", "-vq"])
    assert (str(parsed.output), parsed.verbose, parsed.quiet) == ("results", True, True)


def test_a_file_whose_name_begins_with_a_dash(capsys):
    assert "as in ./-dash.png" in error_of(capsys, "predict", "-dash.png", "-o", "x")


def test_without_a_like_name_nothing_is_suggested(capsys):
    assert "did you mean" not in error_of(capsys, *PREDICT, "--zzz")
    assert nearest("--zzz", ["--model", "--scale"]) == []
    assert nearest("--modle", []) == []


def test_a_missing_engine_is_said_before_anything_is_loaded(monkeypatch, tmp_path, capsys):
    (tmp_path / "a.png").touch()
    monkeypatch.setattr("starpoly.network.engines.registry.is_installed", lambda name: False)
    assert main(["predict", str(tmp_path / "a.png"), "-o", str(tmp_path / "o"), "--engine", "onnx"]) == 2
    assert "expected ONNX Runtime to be installed" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_missing_package_of_a_format_is_said_before_anything_is_loaded(monkeypatch, tmp_path, capsys):
    (tmp_path / "a.png").touch()
    monkeypatch.setattr("starpoly.io.writers.registry.find_spec", lambda name: None)
    assert main(["predict", str(tmp_path / "a.png"), "-o", str(tmp_path / "o"), "--format", "rois"]) == 2
    assert "expected the package roifile" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("15", {"diameter": 15}),
        ("15px", {"diameter": 15}),
        ("7.5 um", {"diameter_um": 7.5}),
        ("12\N{MICRO SIGN}m", {"diameter_um": 12}),
        ("12\N{GREEK SMALL LETTER MU}m", {"diameter_um": 12}),
        ("auto", None),
    ],
)
def test_lengths_are_written_alike_everywhere(text, options):
    assert build_parser().parse_args([*PREDICT, "--diameter", text]).diameter == (options or {})
    if options is not None:
        unit, value = next(iter(options.items()))
        expand = build_parser().parse_args([*PREDICT, "--expand", text]).expand
        assert (expand.distance, expand.unit) == (value, "um" if unit.endswith("um") else "px")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_is_one(name):
    (words,) = re.findall(r"starpoly ([^)]*)", import_module(f"starpoly.cli.{name}").EXAMPLE)
    assert build_parser().parse_args(shlex.split(words)).parser.prog.endswith(name)

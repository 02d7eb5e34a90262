"""Mutated files, by number: each is read or refused, in bounded time and memory."""

from __future__ import annotations

import numpy as np
import pytest

from fuzz.campaign import FAILURES, OUTCOMES, Tally, run_campaign
from fuzz.corpus import Seed, make_corpus
from fuzz.inputs import write_input
from fuzz.mutations import mutate
from fuzz.targets import TARGETS, Bytes, run
from starpoly.io.readers.registry import missing_readers

N_NUMBERS = 300


@pytest.fixture(scope="module")
def seeds():
    return make_corpus()


def test_sound_inputs_survive(seeds, tmp_path):
    assert {seed.kind for seed in seeds} == set(TARGETS)
    refused = []
    for number, seed in enumerate(seeds):
        folder = tmp_path / str(number)
        for name, content in seed.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        if missing_readers([folder / seed.name]):
            continue
        if not run(seed.kind, folder / seed.name, Bytes()):
            refused.append(seed.name)
    assert not refused


def test_a_number_is_one_input(seeds, tmp_path):
    contents = []
    for attempt in "ab":
        (tmp_path / attempt).mkdir()
        write_input(77, seeds, tmp_path / attempt)
        files = sorted(path for path in (tmp_path / attempt).rglob("*") if path.is_file())
        contents.append({path.relative_to(tmp_path / attempt): path.read_bytes() for path in files})
    assert contents[0] == contents[1]


def test_mutations_change_what_they_are_given():
    seed = Seed("objects", "a.csv", {"a.csv": b"label,y\n1,2.5\n2,3.5\n" * 9, "b.bin": bytes(range(256))})
    changed = [mutate(seed, [seed], np.random.default_rng(number))[0] != seed.files for number in range(50)]
    assert sum(changed) > 40


def test_outcomes_are_counted():
    tally = Tally()
    for outcome in OUTCOMES:
        tally.add({"outcome": outcome, "seconds": 1.0})
    assert str(tally) == "survived 1, refused 1, foreign 1, hang 1, memory 1"
    assert [found["outcome"] for found in tally.failures] == list(FAILURES)


@pytest.mark.slow
def test_numbers_are_read_or_refused():
    tally = run_campaign(0, N_NUMBERS, workers=2)
    assert not tally.failures
    assert sum(tally.counts.values()) == N_NUMBERS

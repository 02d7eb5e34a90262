"""A stopped run goes on from its finished tiles, to the same bits; runs are never mixed."""

from __future__ import annotations

import errno
import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.config import Thresholds
from starpoly.detection.journal import TileJournal, delete_run, discard, held_journal, is_unfinished, open_journal
from starpoly.detection.pipeline import detect, plan_for
from starpoly.detection.tile_result import TileResult
from starpoly.errors import StarpolyError
from starpoly.io.files import atomic
from starpoly.polygons import StarPolygons
from starpoly.tiling import Box

from support.painted import N_RAYS, Painted, disks, identity, paint

RUN = {"model": "painted", "shape": [70, 80]}


def journal_of(folder, run=RUN, **kind):
    return TileJournal(folder, run, n_rays=N_RAYS, **kind)


def result_of(*probabilities, n_rays=N_RAYS, distance=1.0, classes=0):
    """A tile with polygons at (1, 2) and none pending."""
    n = len(probabilities)
    columns = np.full((n, classes + 1), 0.5) if classes else None
    kept = StarPolygons(np.tile([1, 2], (n, 1)), np.full((n, n_rays), distance), probabilities, columns)
    return TileResult(kept, StarPolygons.empty(n_rays, classes), 7)


class Stopped(Exception):
    pass


class StopsAfter(Painted):
    """A network that is stopped after some windows."""

    def __init__(self, n, **settings):
        super().__init__(**settings)
        self.left = n

    def __call__(self, batch):
        if self.left == 0:
            raise Stopped
        self.left -= 1
        return super().__call__(batch)


@given(stops=st.lists(st.integers(0, 9), max_size=4), n_classes=st.sampled_from([0, 1]))
def test_stopped_and_resumed_equals_uninterrupted(tmp_path_factory, stops, n_classes):
    image = paint(disks((70, 80), seed=2))
    whole = detect(image, Painted(n_classes=n_classes), identity(), Thresholds(0.3, 0.4), tile_size=24)
    folder = tmp_path_factory.mktemp("runs") / "run"
    for n in stops:
        network = StopsAfter(n, n_classes=n_classes)
        with pytest.raises(Stopped):
            detect(
                image,
                network,
                identity(),
                Thresholds(0.3, 0.4),
                tile_size=24,
                journal=journal_of(folder, n_classes=n_classes),
            )
        if sum(stops) > 20:
            break
    network = Painted(n_classes=n_classes)
    found = detect(
        image, network, identity(), Thresholds(0.3, 0.4), tile_size=24, journal=journal_of(folder, n_classes=n_classes)
    )
    assert len(network.windows) <= whole.n_tiles
    assert found.n_candidates == whole.n_candidates
    for column in ("points", "distances", "probabilities", "class_probabilities"):
        first, second = getattr(found.polygons, column), getattr(whole.polygons, column)
        np.testing.assert_array_equal(first, second)


def test_finished_tiles_are_not_done_again(tmp_path):
    image = paint(disks((70, 80), seed=2))
    for expected in (True, False):
        network = Painted()
        detect(image, network, identity(), Thresholds(0.3, 0.4), tile_size=24, journal=journal_of(tmp_path))
        assert bool(network.windows) == expected
    plan = plan_for(network, (70, 80), 24)
    assert len(list(tmp_path.glob("tile_*"))) == len(plan)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "other"}, r"another model \(painted, now other\);"),
        ({"model": "0" * 99}, "another model;"),
        ({"input": {"date": 1, "size": 3}}, r"another input date \(2, now 1\);"),
        ({"precision": "bfloat16"}, r"another precision \(None, now bfloat16\);"),
        ({"model": "other", "shape": [1, 2]}, r"another model .*, shape \("),
    ],
)
def test_journal_of_another_run_is_refused_by_name(tmp_path, changes, said):
    run = {"model": "painted", "shape": [70, 80], "input": {"date": 2, "size": 3}}
    journal_of(tmp_path, run)
    with pytest.raises(StarpolyError, match=f"unfinished run of {said}.* delete the folder to start anew"):
        journal_of(tmp_path, run | changes)
    journal_of(tmp_path, run)


def test_tiles_of_another_run_do_not_count_even_without_its_name(tmp_path):
    journal_of(tmp_path).store(3, result_of(0.5))
    (tmp_path / "run.json").unlink()  # as by a removal that was killed, and a tile by one that was slow to die
    tile = (tmp_path / "tile_0000003").read_bytes()
    other = journal_of(tmp_path, RUN | {"model": "other"})
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    (tmp_path / "tile_0000003").write_bytes(tile)
    assert other.load(3) is None


def test_tile_comes_back_bit_for_bit(tmp_path):
    result = result_of(0.1, 0.7, classes=2)
    journal_of(tmp_path, n_classes=2).store(3, result)
    found = journal_of(tmp_path, n_classes=2).load(3)
    assert found.n_candidates == 7
    for part in ("kept", "pending"):
        for column in ("points", "distances", "probabilities", "class_probabilities"):
            np.testing.assert_array_equal(getattr(getattr(found, part), column), getattr(getattr(result, part), column))


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path):
    journal = journal_of(tmp_path)
    journal.store(3, result_of(0.5))
    path = tmp_path / "tile_0000003"
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert journal.load(3) is None
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert journal.load(3) is None
    path.write_bytes(whole + b"\0")
    assert journal.load(3) is None
    path.write_bytes(whole)
    assert journal.load(3).n_candidates == 7


@pytest.mark.parametrize(
    "result",
    [
        result_of(0.5, n_rays=N_RAYS + 1),
        result_of(0.5, classes=1),
        result_of(np.nan),
        result_of(-0.5),
        result_of(0.5, distance=np.inf),
        result_of(0.5, distance=-1),
        result_of(0.5, distance=51),
        TileResult(result_of(0.5).kept.shift((90, 0)), StarPolygons.empty(N_RAYS), 1),
        TileResult(StarPolygons.empty(N_RAYS), StarPolygons.empty(N_RAYS), -1),
    ],
    ids=["rays", "classes", "NaN", "probability", "infinite", "negative", "too large", "elsewhere", "count"],
)
def test_what_this_network_cannot_have_found_counts_as_not_finished(tmp_path, result):
    journal_of(tmp_path, max_distance=50).store(3, result)
    assert journal_of(tmp_path, max_distance=50).load(3, Box(0, 0, 64, 64)) is None


def test_a_tile_under_another_number_does_not_count(tmp_path):
    journal = journal_of(tmp_path)
    journal.store(3, result_of(0.5))
    (tmp_path / "tile_0000003").rename(tmp_path / "tile_0000004")
    assert journal.load(4) is None


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "empty"])
def test_what_is_no_file_of_ours_counts_as_not_finished(tmp_path, kind):
    journal = journal_of(tmp_path / "run")
    path = tmp_path / "run" / "tile_0000003"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        journal.store(3, result_of(0.5))
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
    assert journal.load(3) is None
    journal.store(3, result_of(0.25))
    assert journal.load(3).kept.probabilities.max() == 0.25
    if kind == "link":
        assert (tmp_path / "elsewhere").stat().st_size > 0
        assert not path.is_symlink()


@pytest.mark.parametrize("name", ["run", "run.held"])
def test_a_link_in_place_of_the_folder_is_refused_and_what_it_leads_to_stays(tmp_path, name):
    precious = tmp_path / "precious"
    journal_of(precious)
    (precious / "tile_0000001").write_text("keep")
    before = sorted(precious.iterdir())
    (tmp_path / name).symlink_to(precious)
    with pytest.raises(StarpolyError, match="got a link"):
        journal_of(tmp_path / name)
    assert not is_unfinished(tmp_path / name)
    discard(tmp_path / name)
    delete_run(tmp_path / name)
    assert sorted(precious.iterdir()) == before


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_damaged_run_file_is_written_anew_and_whole_tiles_count(tmp_path, content):
    journal_of(tmp_path).store(3, result_of(0.5))
    (tmp_path / "run.json").write_bytes(content)
    assert journal_of(tmp_path).load(3).n_candidates == 7
    with pytest.raises(StarpolyError, match="another model"):
        journal_of(tmp_path, {"model": "other"})


def test_hostile_values_do_not_reach_the_message(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"model": "\x1b[2J", "\x1b[0m" * 99: 1}))
    with pytest.raises(StarpolyError) as refused:
        journal_of(tmp_path)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 900


def test_full_disk_is_said_and_costs_no_finished_tile(tmp_path, monkeypatch):
    journal = journal_of(tmp_path)
    journal.store(0, result_of(0.5))

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "replace", full)
    with pytest.raises(StarpolyError, match=r"No space left on device.*continues from the finished tiles"):
        journal.store(1, result_of(0.5))
    with pytest.raises(StarpolyError, match="No space left on device"):
        journal_of(tmp_path / "new")
    assert journal.load(0) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "run.json", "tile_0000000"]


def test_one_process_at_a_time(tmp_path):
    with (
        open_journal(tmp_path / "run", RUN, n_rays=N_RAYS),
        pytest.raises(StarpolyError, match="another process works on"),
        open_journal(tmp_path / "run", RUN, n_rays=N_RAYS),
    ):
        pass
    with open_journal(tmp_path / "run", RUN, n_rays=N_RAYS) as journal:
        assert is_unfinished(tmp_path / "run")
        journal.remove()
    assert not list(tmp_path.iterdir())


def test_finished_run_leaves_nothing(tmp_path):
    journal = journal_of(tmp_path / "run")
    journal.remove()
    assert not (tmp_path / "run").exists()


def test_a_name_that_no_disk_takes_is_no_unfinished_run(tmp_path):
    journal = tmp_path / f".{'x' * 300}.progress"
    assert not is_unfinished(journal)
    assert not is_unfinished(held_journal(journal))
    assert len(held_journal(journal).name) <= len(journal.name)

"""A stopped run goes on from its finished tiles, to the same bits; runs are never mixed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly import journal as journal_module
from starpoly.config import Thresholds
from starpoly.detect import detect, plan_for
from starpoly.errors import StarpolyError
from starpoly.journal import TileJournal, TileResult
from starpoly.polygons import StarPolygons

from painted import Painted, disks, identity, paint

RUN = {"model": "painted", "shape": [70, 80]}


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
            detect(image, network, identity(), Thresholds(0.3, 0.4), tile_size=24, journal=TileJournal(folder, RUN))
        if sum(stops) > 20:
            break
    network = Painted(n_classes=n_classes)
    found = detect(image, network, identity(), Thresholds(0.3, 0.4), tile_size=24, journal=TileJournal(folder, RUN))
    assert len(network.windows) <= whole.n_tiles
    assert found.n_candidates == whole.n_candidates
    for column in ("points", "distances", "probabilities", "class_probabilities"):
        first, second = getattr(found.polygons, column), getattr(whole.polygons, column)
        np.testing.assert_array_equal(first, second)


def test_finished_tiles_are_not_done_again(tmp_path):
    image = paint(disks((70, 80), seed=2))
    for expected in (True, False):
        network = Painted()
        detect(image, network, identity(), Thresholds(0.3, 0.4), tile_size=24, journal=TileJournal(tmp_path, RUN))
        assert bool(network.windows) == expected
    plan = plan_for(network, (70, 80), 24)
    assert len(list(tmp_path.glob("tile_*.npz"))) == len(plan)


def test_journal_of_another_run_is_refused(tmp_path):
    TileJournal(tmp_path, RUN)
    with pytest.raises(StarpolyError, match="another model"):
        TileJournal(tmp_path, RUN | {"model": "other"})


def test_damaged_tile_counts_as_not_finished(tmp_path):
    journal = TileJournal(tmp_path, RUN)
    journal.store(3, TileResult(StarPolygons.empty(8), StarPolygons([[1, 2]], np.ones((1, 8)), [0.5]), 7))
    assert journal.load(3).n_candidates == 7
    path = tmp_path / "tile_0000003.npz"
    path.write_bytes(path.read_bytes()[:100])
    assert journal.load(3) is None


def test_full_disk_is_said_and_costs_no_finished_tile(tmp_path, monkeypatch):
    journal = TileJournal(tmp_path, RUN)
    result = TileResult(StarPolygons.empty(8), StarPolygons.empty(8), 0)
    journal.store(0, result)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal_module.np, "savez", full)
    with pytest.raises(StarpolyError, match=r"No space left on device.*continues from the finished tiles"):
        journal.store(1, result)
    assert journal.load(0) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json", "tile_0000000.npz"]


def test_finished_run_leaves_nothing(tmp_path):
    journal = TileJournal(tmp_path / "run", RUN)
    journal.remove()
    assert not (tmp_path / "run").exists()

"""Parts in threads make up the whole."""

from __future__ import annotations

import pytest

from starpoly.parallel import in_parts, n_threads


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_parts_make_up_the_whole(n, threads):
    seen = []
    in_parts(lambda start, stop: seen.extend(range(start, stop)), n, threads)
    assert sorted(seen) == list(range(n))


def test_an_error_in_a_part_is_not_lost():
    with pytest.raises(ZeroDivisionError):
        in_parts(lambda start, stop: 1 / (start - start), 10, 2)


def test_number_of_threads_can_be_set(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert n_threads() == 3
    monkeypatch.delenv("NUMBA_NUM_THREADS")
    assert n_threads() >= 1

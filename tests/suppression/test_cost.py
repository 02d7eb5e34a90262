"""What suppression has to look at: counted, so that no clock is needed to see that it has become slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

COUNT = """
import json, sys
from collections import Counter
import numpy as np
sys.path[:0] = ["benchmarks", "tests"]
from nms_agreement import candidates_of, drawn_ellipses
from starpoly.geometry import _kernels_nms as kernels
from starpoly.suppression.greedy import suppress
from starpoly.polygons import StarPolygons

def counted(name):
    function = getattr(kernels, name)
    def wrapper(*arguments):
        calls[name] += 1
        return function(*arguments)
    setattr(kernels, name, wrapper)

for name in ("surely_conflict", "conflict", "intersection_area"):
    counted(name)

def cost(candidates):
    global calls
    calls = Counter()
    n_kept = len(suppress(candidates, 0.4))
    return {name: calls[name] / len(candidates) for name in ("surely_conflict", "conflict", "intersection_area")} | {"kept": n_kept}

def flood(radius, side):
    y, x = (index.ravel() for index in np.indices((side, side)))
    rng = np.random.default_rng(0)
    distances = radius * (1 + 0.05 * rng.standard_normal((len(y), 16)))
    return StarPolygons(np.stack([y, x], 1), distances, rng.random(len(y)))

real = candidates_of(drawn_ellipses(96, 0))
print(json.dumps({"ellipses": cost(real), "n": len(real), "small": cost(flood(4, 24)), "large": cost(flood(24, 24))}))
"""


@pytest.fixture(scope="module")
def costs(pytestconfig):
    """Calls per candidate, in plain Python, where calls can be counted."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", COUNT]
    output = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=pytestconfig.rootpath
    )
    return json.loads(output.stdout.splitlines()[-1])


def test_few_pairs_are_looked_at_and_hardly_one_exactly(costs):
    # most candidates are suppressed by one that they overlap deeply, which the cheapest bound settles
    assert costs["n"] > 300
    assert costs["ellipses"]["surely_conflict"] < 2
    assert costs["ellipses"]["conflict"] < 1
    assert costs["ellipses"]["intersection_area"] < 0.1


def test_a_flood_of_large_polygons_costs_no_more_than_one_of_small_ones(costs):
    assert costs["large"]["kept"] < costs["small"]["kept"]
    for name in ("surely_conflict", "conflict", "intersection_area"):
        assert costs["large"][name] < 1.5 * costs["small"][name] + 1

"""Fixtures and settings for all tests."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# these take `quiet_import` by name: loaded here, none of them does so while a test has put another in its place
import starpoly.network.architectures.registry
import starpoly.network.engines.onnx_graph
import starpoly.network.engines.registry
import starpoly.network.engines.tensorflow  # noqa: F401

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# as starpoly sets it before it loads TensorFlow; some tests load TensorFlow first
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# the first example of a test may compile a kernel, so there is no deadline; the same examples in every run
settings.register_profile("starpoly", deadline=None, max_examples=25, derandomize=True, database=None)
settings.load_profile("starpoly")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Frozen networks go to a folder of this run, which its processes share, and none of another run is found."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    os.environ["STARPOLY_CACHE"] = str(folder / "cache")


@pytest.fixture(scope="module", autouse=True)
def search_for_garbage_is_short() -> None:
    """Leave out what earlier modules have loaded: a search through the objects of TensorFlow takes as long as many a test."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def every_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are asked about every window, also where it is constant: for tests that count them."""
    monkeypatch.setattr("starpoly.detection.constant_windows.is_constant", lambda pixels: False)


@pytest.fixture
def eager_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """See :func:`support.eager.without_graph`."""
    import keras

    from support.eager import without_graph

    monkeypatch.setattr(keras.Model, "fit", without_graph(keras.Model.fit))


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with data and peer models that are not part of the project; the test is skipped without it."""
    folder = Path(os.environ.get("STARPOLY_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("no folder with shared data; set STARPOLY_SHARED")
    return folder

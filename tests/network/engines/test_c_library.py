"""TensorFlow's C library: what it is told, and what it refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from starpoly.errors import ModelError
from starpoly.network.engines.c_library import OPERATIONS, Library, Session, library_path, session_settings

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow" or library_path() is None, reason="needs TensorFlow's C library"
)


@pytest.fixture(scope="module")
def library():
    return Library(library_path())


@pytest.fixture(scope="module")
def doubling():
    """A graph that returns a batch and its double, and a tensor of integers."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        batch = tf.compat.v1.placeholder(tf.float32, (None, None, None, 2), name="batch")
        tf.identity(batch, name="same")
        tf.add(batch, batch, name="double")
        tf.shape(batch, name="shape")
        tf.reshape(batch, (1, 2, 3, 2), name="fixed")
    return graph.as_graph_def().SerializeToString()


@pytest.mark.parametrize(("environment", "expected_threads"), [({}, 300), ({"TF_NUM_INTRAOP_THREADS": "2"}, 0)])
def test_settings_are_what_they_say(monkeypatch, environment, expected_threads):
    import tensorflow as tf

    monkeypatch.setattr("os.environ", {"NUMBA_NUM_THREADS": "300", **environment})
    settings = tf.compat.v1.ConfigProto()
    settings.ParseFromString(session_settings())
    expected = tf.compat.v1.ConfigProto(
        allow_soft_placement=True,
        intra_op_parallelism_threads=expected_threads,
        inter_op_parallelism_threads=expected_threads,
    )
    expected.gpu_options.allow_growth = True
    assert settings == expected


def test_the_library_is_the_one_that_python_imports(library):
    import tensorflow as tf

    assert library.version == tf.__version__
    assert Session(library).has_gpu() == bool(tf.config.list_physical_devices("GPU"))


def test_arrays_go_in_and_come_out(library, doubling):
    session = Session(library)
    session.load(doubling, "batch:0", ["double:0", "same:0"])
    for shape in [(1, 3, 5, 2), (2, 1, 1, 2), (1, 0, 4, 2)]:
        batch = np.random.default_rng(0).random(shape, np.float32)
        double, same = session.run(batch)
        np.testing.assert_array_equal(double, 2 * batch, strict=True)
        np.testing.assert_array_equal(same, batch, strict=True)
    strided = np.random.default_rng(1).random((1, 6, 8, 2), np.float32)[:, ::2, ::-1]
    np.testing.assert_array_equal(session.run(strided)[0], 2 * strided)


def test_answers_outlive_the_session_and_threads_share_it(library, doubling):
    session = Session(library)
    session.load(doubling, "batch:0", ["double:0"])
    batches = [np.full((1, 20, 30, 2), number, np.float32) for number in range(24)]
    with ThreadPoolExecutor(4) as threads:
        answers = [answer for (answer,) in threads.map(session.run, batches)]
    del session
    for batch, answer in zip(batches, answers, strict=True):
        np.testing.assert_array_equal(answer, 2 * batch)


def test_what_does_not_fit_is_refused(library, doubling):
    for graph, given, wanted in [
        (b"no graph", "batch:0", ["double:0"]),
        (doubling, "other:0", ["double:0"]),
        (doubling, "batch:0", ["double:1"]),
        (doubling, "batch:0", ["shape:0"]),
    ]:
        with pytest.raises(ModelError, match="expected"):
            Session(library).load(graph, given, wanted)
    with pytest.raises(ModelError, match="load"):
        Session(library).run(np.zeros((1, 2, 3, 2), np.float32))
    session = Session(library)
    session.load(doubling, "batch:0", ["fixed:0"])
    with pytest.raises(ModelError, match=r"window of shape \(1, 2, 4, 2\)"):
        session.run(np.zeros((1, 2, 4, 2), np.float32))


def test_operations_of_the_list_exist_and_none_has_effects():
    from tensorflow.python.framework import op_def_registry

    definitions = {name: op_def_registry.get(name) for name in OPERATIONS}
    assert not [name for name, definition in definitions.items() if definition is None or definition.is_stateful]

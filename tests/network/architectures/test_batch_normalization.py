import keras
import numpy as np
import pytest
from keras import ops

from starpoly.network.architectures.batch_normalization import BatchNormalization

tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the fused kernel is TensorFlow's")


def _layers(dtype="float32"):
    """The layer and Keras's, with the same weights."""
    rng = np.random.default_rng(3)
    both = [kind(momentum=0.9, dtype=dtype) for kind in (BatchNormalization, keras.layers.BatchNormalization)]
    for layer in both:
        layer.build((None, None, None, 5))
    weights = [rng.random(5).astype("f4") + 0.5 for _ in range(4)]
    for layer in both:
        layer.set_weights(weights)
    return both


def _image(offset=0.0):
    return np.random.default_rng(0).normal(offset, 2, (2, 6, 7, 5)).astype("f4")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_answers_and_moving_statistics_are_those_of_keras(training, offset):
    ours, theirs = _layers()
    image = _image(offset)
    np.testing.assert_allclose(ours(image, training=training), theirs(image, training=training), atol=2e-5)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-5)


@tensorflow
def test_gradients_are_those_of_keras():
    import tensorflow as tf

    image, towards = tf.constant(_image()), tf.constant(_image()[::-1].copy())
    found = []
    for layer in _layers():
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.reduce_sum(layer(image, training=True) * towards)
        found.append(tape.gradient(loss, [image, layer.gamma.value, layer.beta.value]))
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)


def test_bfloat16_stays_near_float32():
    ours, exact = _layers("mixed_bfloat16")[0], _layers()[1]
    image = _image()
    found = ours(image, training=True)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(found, "float32")), exact(image, training=True), atol=0.05)
    assert all(keras.backend.standardize_dtype(weight.dtype) == "float32" for weight in ours.weights)


def test_a_frozen_layer_learns_nothing():
    ours, _ = _layers()
    before = ours.get_weights()
    ours.trainable = False
    ours(_image(), training=True)
    for now, then in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@tensorflow
def test_training_takes_the_fused_kernel():
    import tensorflow as tf

    layer, _ = _layers()
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(tf.TensorSpec((2, 6, 7, 5))).graph
    assert "FusedBatchNormV3" in {operation.type for operation in graph.get_operations()}

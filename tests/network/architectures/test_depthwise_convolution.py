import keras
import numpy as np
import pytest

from starpoly.network.architectures.depthwise_convolution import DepthwiseConv2D

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the gradients are TensorFlow's")


def _layers(dtype, **options):
    """The layer and Keras's, with the same weights."""
    both = [
        kind(3, padding="same", dtype=dtype, bias_initializer="ones", **options)
        for kind in (DepthwiseConv2D, keras.layers.DepthwiseConv2D)
    ]
    for layer in both:
        layer.build((None, None, None, 5))
    both[0].set_weights(both[1].get_weights())
    return both


def _found(layer, image, training=True):
    """Outputs, and gradients of image and weights, in float32."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(image)
        outputs = tf.cast(layer(image, training=training), tf.float32)
        loss = tf.reduce_sum(outputs * outputs)
    weights = [weight.value for weight in layer.trainable_weights]
    return [np.asarray(tf.cast(part, tf.float32)) for part in (outputs, *tape.gradient(loss, [image, *weights]))]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"use_bias": False}])
def test_answers_and_gradients_are_those_of_keras(dtype, training, options):
    import tensorflow as tf

    image = tf.constant(np.random.default_rng(0).normal(0, 1, (2, 8, 6, 5)).astype("f4"))
    mine, theirs = (_found(layer, image, training) for layer in _layers(dtype, **options))
    for part, other in zip(mine, theirs, strict=True):
        # bfloat16 has eight bits
        np.testing.assert_allclose(
            part, other, rtol=1e-5, atol=1e-5 if dtype == "float32" else 0.02 * np.abs(other).max()
        )


def test_gradients_in_bfloat16_are_nearer_to_those_of_float32_than_keras_has_them():
    import tensorflow as tf

    image = tf.constant(np.random.default_rng(0).normal(0, 1, (4, 32, 32, 5)).astype("f4"))
    exact, _ = _layers("float32")
    mine, theirs = _layers("mixed_bfloat16")
    for layer in (mine, theirs):
        layer.set_weights(exact.get_weights())
    right, rounded, of_keras = (_found(layer, image)[2] for layer in (exact, mine, theirs))
    assert np.abs(rounded - right).max() <= np.abs(of_keras - right).max()

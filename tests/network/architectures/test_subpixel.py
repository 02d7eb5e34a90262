import keras
import numpy as np
import pytest

from starpoly.network.architectures.subpixel import SubpixelConvolution


@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
@pytest.mark.parametrize("size", [2, 3])
def test_it_is_the_transposed_convolution(size, activation):
    rng = np.random.default_rng(size)
    ours = SubpixelConvolution(5, size, activation=activation)
    theirs = keras.layers.Conv2DTranspose(5, size, strides=size, padding="same", activation=activation)
    for layer in (ours, theirs):
        layer.build((None, None, None, 4))
    weights = [rng.normal(size=weight.shape).astype("f4") for weight in theirs.weights]
    for layer in (ours, theirs):
        layer.set_weights(weights)
    image = rng.normal(size=(2, 3, 7, 4)).astype("f4")
    assert ours(image).shape == (2, 3 * size, 7 * size, 5)
    np.testing.assert_allclose(ours(image), theirs(image), rtol=1e-5, atol=1e-5)


def test_the_size_of_the_image_may_stay_open():
    image = keras.Input((None, None, 4))
    model = keras.Model(image, SubpixelConvolution(5, 2)(image))
    assert model.output_shape == (None, None, None, 5)
    for height, width in ((2, 3), (4, 1)):
        assert keras.models.clone_model(model)(np.zeros((1, height, width, 4), "f4")).shape == (
            1,
            2 * height,
            2 * width,
            5,
        )

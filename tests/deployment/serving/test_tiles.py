"""Photos predicted tile by tile."""

import numpy as np
import pytest

from kseg.deployment.saved_model import tiles

pytestmark = pytest.mark.backends("tensorflow", reason="a graph without Keras in it")


def winners(image, network, tile, overlap):
    import tensorflow as tf

    def top(values):
        return tf.cast(tf.argmax(values, -1), tf.uint8), tf.reduce_max(values, -1)

    function = tf.function(
        lambda x: tiles.winners(x, network, top, (tf.uint8, tf.float32), tile, overlap),
        autograph=False,
    )
    return [x.numpy() for x in function(tf.constant(image))], [
        x.numpy() for x in top(network(tf.cast(image, tf.float32)))
    ]


@pytest.mark.parametrize("size", [(5, 6), (8, 8), (23, 9), (30, 41)])
def test_pixels_come_out_where_they_were(rng, size):
    """Of a network that looks at single pixels, tiles are the whole."""
    image = rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)
    actual, expected = winners(image, lambda x: x, 8, 3)
    for a, b in zip(actual, expected):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [(30, 41), (11, 9)])
def test_resized_photos_are_answered_at_their_size(rng, size):
    import tensorflow as tf

    def top(values):
        return tf.cast(tf.argmax(values, -1), tf.uint8), tf.reduce_max(values, -1)

    images = rng.random((2, 19, 22, 3)).astype("float32")
    kinds = (tf.uint8, tf.float32)
    found = tiles.resized_winners(images, tf.constant(size), lambda x: x, 3, top, kinds, 8, 3)
    for a, b in zip(found, top(tf.image.resize(images, size))):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_enough_overlap_hides_the_seams(rng):
    """Of a network that looks 3 pixels far, an overlap of 6 leaves nothing to see."""
    import tensorflow as tf

    kernel = rng.normal(size=(7, 7, 3, 4)).astype("float32")
    image = rng.integers(0, 256, (1, 40, 50, 3), dtype=np.uint8)

    def network(x):
        return tf.nn.conv2d(x, kernel, 1, "SAME")

    actual, expected = winners(image, network, 16, 6)
    np.testing.assert_array_equal(actual[0], expected[0])
    np.testing.assert_allclose(actual[1], expected[1], rtol=1e-4)
    actual, expected = winners(image, network, 16, 2)
    assert (actual[0] != expected[0]).any()  # the test can fail

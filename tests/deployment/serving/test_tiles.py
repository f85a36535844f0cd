"""Photos predicted tile by tile."""

import numpy as np
import pytest

from kseg.deployment.saved_model import tiles

pytestmark = pytest.mark.backends("tensorflow", reason="a graph without Keras in it")


@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 100, 1024])
@pytest.mark.parametrize("overlap", [0, 3, 7])
def test_tiles_cover_an_axis_once(length, overlap):
    import tensorflow as tf

    start, edge = (x.numpy() for x in tiles.spans(tf.constant(length), 8, overlap))
    side = min(length, 8)
    assert start[0] == 0 and start[-1] == length - side
    assert edge[0] == 0 and edge[-1] == length and (np.diff(edge) > 0).all()
    assert (start <= edge[:-1]).all() and (edge[1:] <= start + side).all()  # all in its tile
    assert (start[:-1] + side - start[1:] >= overlap).all()
    # no more tiles than needed: one fewer would not reach
    count = len(start)
    assert count == 1 or (count - 1) * (8 - overlap) + overlap < length


def test_the_edge_lies_in_the_middle_of_what_two_tiles_share():
    import tensorflow as tf

    # 14 pixels in tiles of 8 that share 2: 0..7 and 6..13, halves 0..6 and 7..13
    start, edge = tiles.spans(tf.constant(14), 8, 2)
    assert start.numpy().tolist() == [0, 6] and edge.numpy().tolist() == [0, 7, 14]


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

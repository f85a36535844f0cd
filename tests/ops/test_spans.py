"""Where the tiles of a photo lie."""

import numpy as np
import pytest

from kseg.ops.tiles import STRIDE, spans, stitched

LENGTHS = [1, 7, 8, 9, 15, 16, 17, 100, 511, 512, 513, 640, 1024, 1025, 8192]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("tile", "overlap"), [(8, 0), (8, 3), (8, 7), (191, 64), (512, 128)])
def test_tiles_cover_an_axis_once(length, tile, overlap):
    start, side, edge = spans(length, tile, overlap)
    step = STRIDE if tile - overlap >= 2 * STRIDE else 1
    assert side == length or tile - step < side <= tile
    assert start[0] == 0 and start[-1] == length - side and (start % step == 0).all()
    assert edge[0] == 0 and edge[-1] == length and (np.diff(edge) > 0).all()
    assert (start <= edge[:-1]).all() and (edge[1:] <= start + side).all()  # all in its tile
    assert (start[:-1] + side - start[1:] >= overlap).all()
    # no more tiles than needed: one fewer would not reach
    count, most = len(start), (side - overlap) // step * step
    assert count == 1 or (count - 2) * most + side < length
    # of what two share each has half
    shared = start[1:] + start[:-1] + side
    np.testing.assert_array_equal(edge[1:-1], shared // 2)


def test_by_hand():
    # 14 pixels in tiles of 8 that share 2: 0..7 and 6..13, halves 0..6 and 7..13
    start, side, edge = spans(14, 8, 2)
    assert start.tolist() == [0, 6] and side == 8 and edge.tolist() == [0, 7, 14]
    # 700 in tiles of 512 that share 128: 508, as 700 - 508 is three times 64; from 0 and from 192
    start, side, edge = spans(700, 512, 128)
    assert start.tolist() == [0, 192] and side == 508 and edge.tolist() == [0, 350, 700]


@pytest.mark.backends("tensorflow", reason="the same rule in a graph without Keras")
@pytest.mark.parametrize("length", LENGTHS)
def test_the_same_in_a_graph(length):
    import tensorflow as tf

    graph = tf.function(lambda n: spans(n, 512, 128, tf), autograph=False)
    for actual, expected in zip(graph(tf.constant(length)), spans(length, 512, 128)):
        np.testing.assert_array_equal(actual.numpy(), expected)


@pytest.mark.parametrize("size", [(5, 6), (8, 8), (8, 23), (23, 9), (30, 41)])
def test_pixels_come_out_where_they_were(rng, size):
    """Of what looks at single pixels, tiles are the whole; of several answers each."""
    images = rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)
    seen = []

    def answer(part):
        seen.append(part.shape)
        return [part.astype(np.float32), part[..., 0]]

    whole, first = stitched(images, answer, 8, 3)
    np.testing.assert_array_equal(whole, images)
    np.testing.assert_array_equal(first, images[..., 0])
    assert whole.dtype == np.float32 and first.dtype == np.uint8
    assert max(max(shape[1:3]) for shape in seen) <= 8
    assert stitched(images, lambda part: [part], None, 0)[0] is images

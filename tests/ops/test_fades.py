"""Tiles whose answers pass into one another, and strips of them."""

import numpy as np
import pytest

from kseg.ops.fades import faded, strips


@pytest.mark.parametrize("length", [1, 100, 512, 513, 640, 1000, 8192])
@pytest.mark.parametrize(("tile", "overlap"), [(8, 3), (191, 64), (512, 128), (512, 256)])
def test_the_tiles_say_in_sum_is_one(length, tile, overlap):
    start, side, first, last, weight = faded(length, tile, overlap)
    total = np.zeros(length)
    for begin, end, say in zip(first, last, weight):
        assert say.min() >= 0 and len(say) == end - begin
        total[begin:end] += say
    np.testing.assert_allclose(total, 1, atol=1e-6)
    # 3/8 of what two tiles share lies between a tile's own border and where it has a say
    for index in range(1, len(start)):
        shared = start[index - 1] + side - start[index]
        assert first[index] - start[index] >= shared // 2 - shared // 8
        assert start[index - 1] + side - last[index - 1] >= shared // 2 - shared // 8
    assert (np.diff(first) > 0).all() and (np.diff(last) > 0).all()


def test_the_say_across_an_edge_by_hand():
    """Tiles 0..511 and 256..767 share 256: their edge is 384, and 32 pixels on either side fade."""
    start, side, first, last, weight = faded(768, 512, 256)
    assert start.tolist() == [0, 256] and side == 512
    assert first.tolist() == [0, 352] and last.tolist() == [416, 768]
    later = weight[1][:64]
    # two Gaussians round 256 and 512, normalised: a logistic curve; half of each at the edge
    np.testing.assert_allclose(later[31:33].mean(), 0.5, atol=1e-6)
    np.testing.assert_allclose(later[0], 1 / (1 + np.exp(4 * 31.5 / 32)), rtol=1e-5)
    np.testing.assert_allclose(weight[0][-64:], 1 - later, atol=1e-6)
    assert (weight[0][:352] == 1).all() and (weight[1][64:] == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (300, 20), (20, 300), (333, 290), (700, 513)])
def test_strips_are_the_whole(rng, size):
    whole = rng.random((*size, 2)).astype("float32")
    seen = []

    def answer(rows, columns):
        seen.append((rows.stop - rows.start, columns.stop - columns.start))
        return whole[rows, columns].copy()

    parts, end = [], 0
    for top, strip in strips(size, 191, 64, answer, lambda values: values * 2):
        assert top == end
        end += len(strip)
        parts.append(strip)
    assert max(max(each) for each in seen) <= 191
    np.testing.assert_allclose(np.concatenate(parts), whole * 2, atol=1e-6)


def test_a_seam_is_smooth():
    """Tiles that disagree, by their number, pass into one another in steps below the whole."""
    numbers = iter(range(100))

    def answer(rows, columns):
        shape = (rows.stop - rows.start, columns.stop - columns.start, 1)
        return np.full(shape, next(numbers) % 2, np.float32)

    ((_, strip),) = strips((100, 700), 512, 256, answer, lambda values: values[..., 0])
    steps = np.abs(np.diff(strip[50]))
    assert strip.min() == 0 and strip.max() == 1 and steps.max() < 0.1

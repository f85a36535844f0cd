"""Boxes: areas, overlaps and deltas against loops over single boxes."""

import math

import keras
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kseg.ops import boxes as box_ops

relaxed = settings(max_examples=12, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def drawn(rng, *shape):
    """Boxes on a coarse grid, so that many touch or are equal; some degenerate, some reversed."""
    corner = rng.integers(-8, 12, (*shape, 2))
    return np.concatenate([corner, corner + rng.integers(-1, 10, (*shape, 2))], -1).astype(
        "float32"
    )


def intersection_over_union(a, b, crowd=False):
    def area(box):
        return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)

    common = area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])
    whole = area(a) if crowd else area(a) + area(b) - common
    return common / whole if whole > 0 else 0.0


def test_by_hand(run):
    # 2x2 and 2x2 shifted by 1: 2 in common of 4 + 4 - 2; twice the same: 1; touching at an edge: 0
    boxes = np.array([[0, 0, 2, 2]], "float32")
    others = np.array([[1, 0, 3, 2], [0, 0, 2, 2], [2, 0, 4, 2], [0, 0, 0, 2]], "float32")
    np.testing.assert_array_equal(
        run(box_ops.overlaps, boxes, others), [[np.float32(2) / np.float32(6), 1, 0, 0]]
    )
    np.testing.assert_array_equal(run(box_ops.area, others), [4, 4, 4, 0])


def crowded(boxes, others, crowd):
    return box_ops.overlaps(boxes, others, crowd=crowd)


@relaxed
@given(seed=seeds)
def test_overlaps_equal_a_loop(run, seed):
    rng = np.random.default_rng(seed)
    boxes, others, crowd = drawn(rng, 4, 6), drawn(rng, 4, 5), rng.random((4, 5)) < 0.3
    for function, arguments, ignored in (
        (box_ops.overlaps, (), np.zeros_like(crowd)),
        (crowded, (crowd,), crowd),
    ):
        expected = [
            [
                [intersection_over_union(a, b, c) for b, c in zip(others[g], ignored[g])]
                for a in group
            ]
            for g, group in enumerate(boxes.astype("float64"))
        ]
        actual = run(function, boxes, others, *arguments)
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=0)
        assert actual.dtype == np.float32


def test_huge_and_empty_boxes_give_no_nan(run):
    boxes = np.array([[-1e18, -1e18, 1e18, 1e18], [0, 0, 0, 0], [5, 5, 3, 3]], "float32")
    np.testing.assert_array_equal(run(box_ops.overlaps, boxes, boxes), np.diag([1, 0, 0]))


WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def encode(boxes, anchors):
    return box_ops.encode(boxes, anchors, WEIGHTS)


def decode(deltas, anchors):
    return box_ops.decode(deltas, anchors, WEIGHTS)


def test_deltas_by_hand(run):
    # anchor: centre (2, 2), sides 4; box: centre (4, 3), sides 8 and 2.
    # dx = 2 / 4, dy = 1 / 4, dw = log 2, dh = log 1/2
    anchors, boxes = np.array([[[0, 0, 4, 4]], [[0, 2, 8, 4]]], "float32")
    deltas = np.array([[0.5, 0.25, math.log(2), -math.log(2)]])
    np.testing.assert_allclose(run(box_ops.encode, boxes, anchors), deltas, rtol=1e-6)
    np.testing.assert_allclose(run(encode, boxes, anchors), deltas * WEIGHTS, rtol=1e-6)


@relaxed
@given(seed=seeds)
def test_decoding_undoes_encoding(run, seed):
    rng = np.random.default_rng(seed)
    boxes, anchors = rng.uniform(0, 500, (2, 64, 4)).astype("float32")
    for values in (boxes, anchors):
        values[:, 2:] = values[:, :2] + rng.uniform(8, 400, (64, 2))
    for there, back in ((box_ops.encode, box_ops.decode), (encode, decode)):
        np.testing.assert_allclose(run(back, run(there, boxes, anchors), anchors), boxes, atol=2e-3)


def test_sides_grow_at_most_by_1000_16ths(run):
    anchors = np.array([[-8, -8, 8, 8]] * 3, "float32")
    deltas = np.array([[0, 0, 1e9, 0], [0, 0, 0, 500], [0, 0, -500, 0]], "float32")
    actual = run(box_ops.decode, deltas, anchors)
    expected = [[-500, -8, 500, 8], [-8, -500, 8, 500], [0, -8, 0, 8]]
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_clip_and_least_side(run):
    boxes = np.array([[[-3, -4, 5, 6], [90, 40, 120, 60], [200, 1, 300, 2]]] * 2, "float32")
    size = np.array([[50, 100], [500, 250]], "int32")
    expected = [
        [[0, 0, 5, 6], [90, 40, 100, 50], [100, 1, 100, 2]],
        [[0, 0, 5, 6], [90, 40, 120, 60], [200, 1, 250, 2]],
    ]
    clipped = run(box_ops.clip, boxes, size)
    np.testing.assert_array_equal(clipped, expected)
    wide = box_ops.at_least(keras.ops.convert_to_tensor(clipped), 5)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(wide), [[True, True, False], [True, True, False]]
    )

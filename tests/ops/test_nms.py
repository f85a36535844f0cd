"""Suppression: every method against a loop over boxes, and against what the words say."""

import functools
from unittest import mock

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kseg.ops import nms as module
from kseg.ops.nms import NOTHING, nms

relaxed = settings(max_examples=4, deadline=None)
seeds = st.integers(0, 2**32 - 1)
METHODS = ["_blocks", "_sequential", "_greedy"]
if keras.backend.backend() == "torch":
    METHODS.append("_matrix")
GROUPS, TOTAL, THRESHOLD = 12, 20, 0.4


def drawn(rng, groups=GROUPS, total=TOTAL):
    """Boxes on a coarse grid: many are equal or touch, some are degenerate or reversed. Whole
    numbers keep every overlap exact, also where a compiler multiplies and adds in one step."""
    corner = rng.integers(0, 24, (groups, total, 2))
    boxes = np.concatenate([corner, corner + rng.integers(-1, 14, corner.shape)], -1)
    scores = rng.integers(0, 12, (groups, total)) / 8 - 0.5  # many ties, some negative
    valid = rng.random((groups, total)) < 0.8
    valid[0] = False
    boxes[1] = boxes[1, :1]  # all the same
    boxes[2] *= 2**17
    classes = rng.integers(0, 3, (groups, total))
    return boxes.astype("float32"), scores.astype("float32"), valid, classes.astype("int32")


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    areas = [max(x[2] - x[0], 0) * max(x[3] - x[1], 0) for x in (a, b)]
    whole = sum(areas) - common
    return common / whole if whole > 0 else 0.0


def reference(boxes, scores, valid, classes, threshold, count):
    kept = []
    for n in sorted(np.flatnonzero(valid), key=lambda n: -scores[n]):  # stable
        if not any(
            overlap(boxes[n], boxes[k]) > threshold and classes[n] == classes[k] for k in kept
        ):
            kept.append(n)
    return kept[:count]


@functools.cache
def method(name, count, by_class):
    def function(boxes, scores, valid, classes):
        scores = keras.ops.where(valid, scores, NOTHING)
        classes = classes if by_class else None
        if name == "nms":
            return nms(boxes, scores, THRESHOLD, count, valid=valid, classes=classes)
        return getattr(module, name)(boxes, scores, THRESHOLD, count, classes)

    return function


def check(actual, boxes, scores, valid, classes, count):
    index, kept = actual
    for group in range(len(boxes)):
        arguments = (x[group].tolist() for x in (boxes, scores, valid, classes))
        expected = reference(*arguments, np.float32(THRESHOLD), count)
        np.testing.assert_array_equal(kept[group], np.arange(len(kept[group])) < len(expected))
        np.testing.assert_array_equal(index[group][kept[group]], expected)


@pytest.mark.few("20-classes")
@pytest.mark.parametrize("by_class", [False, True], ids=["", "classes"])
@pytest.mark.parametrize("count", [5, TOTAL])
@pytest.mark.parametrize("name", METHODS)
@relaxed
@given(seed=seeds)
def test_every_method_equals_a_loop(run, name, count, by_class, seed):
    if name == "_greedy" and run.way != "eager":
        pytest.skip("NumPy is not compiled")
    boxes, scores, valid, classes = drawn(np.random.default_rng(seed))
    if not by_class:
        classes = np.zeros_like(classes)
    with mock.patch.multiple(module, BLOCK=7, BEST=3):  # several looks at the few boxes
        actual = run(method(name, count, by_class), boxes, scores, valid, classes)
    check(actual, boxes, scores, valid, classes, count)


@pytest.mark.parametrize("by_class", [False, True], ids=["", "classes"])
@relaxed
@given(seed=seeds)
def test_no_two_kept_overlap_and_a_better_one_suppressed_the_rest(run, by_class, seed):
    boxes, scores, valid, classes = drawn(np.random.default_rng(seed))
    if not by_class:
        classes = np.zeros_like(classes)
    index, kept = run(method("nms", TOTAL + 3, by_class), boxes, scores, valid, classes)
    assert index.shape == kept.shape == (GROUPS, TOTAL + 3)
    assert index.dtype == np.int32 and (index[~kept] == 0).all()
    for group in range(GROUPS):
        chosen = index[group][kept[group]]
        assert valid[group][chosen].all() and (np.diff(scores[group][chosen]) <= 0).all()

        exact, kind = boxes[group].tolist(), classes[group]
        for n in np.flatnonzero(valid[group]):
            others = [k for k in chosen if k != n and kind[k] == kind[n]]
            others = [k for k in others if overlap(exact[k], exact[n]) > THRESHOLD]
            if n in chosen:
                assert not others
            else:
                assert max(scores[group, k] for k in others) >= scores[group, n]


def test_by_hand(run):
    # 8 of 12 in common is 0.667; a chain: the first suppresses the second, so the third is spared
    boxes = np.array([[[0, 0, 10, 1], [2, 0, 12, 1], [4, 0, 14, 1], [50, 0, 60, 1]]], "float32")
    scores = np.array([[0.9, 0.8, 0.7, 0.95]], "float32")
    index, kept = run(lambda b, s: nms(b, s, 0.6, 6), boxes, scores)
    np.testing.assert_array_equal(index, [[3, 0, 2, 0, 0, 0]])
    np.testing.assert_array_equal(kept, [[True, True, True, False, False, False]])


def test_only_above_the_threshold_is_suppressed(run):
    # 2 of 4 in common: exactly 0.5
    boxes = np.array([[[0, 0, 4, 1], [0, 0, 2, 1]]], "float32")
    scores = np.array([[1, 0.5]], "float32")
    for name in METHODS:
        if name == "_greedy" and run.way != "eager":
            continue
        for threshold, number in ((0.5, 2), (0.49, 1)):

            def function(b, s, name=name, threshold=threshold):
                return getattr(module, name)(b, s, threshold, 2)

            assert run(function, boxes, scores)[1].sum() == number


@pytest.mark.backends("tensorflow", reason="TensorFlow's batches")
def test_an_unknown_batch_and_a_saved_model(tmp_path):
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(
            input_signature=[tf.TensorSpec((None, 4, 4)), tf.TensorSpec((None, 4))], autograph=False
        )
        def plain(self, boxes, scores):
            return nms(boxes, scores, 0.5, 4)

        @tf.function(
            input_signature=[tf.TensorSpec((None, 4, 4)), tf.TensorSpec((None, 4))], autograph=False
        )
        def by_class(self, boxes, scores):
            return nms(boxes, scores, 0.5, 4, classes=tf.zeros(tf.shape(scores), tf.int32))

    module = Module()
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    rng = np.random.default_rng(0)
    for groups in (3, 4):
        boxes, scores, valid, _ = drawn(rng, groups, 4)
        expected = nms(boxes, scores, 0.5, 4)
        for function in (module.plain, module.by_class, loaded.plain, loaded.by_class):
            actual = function(tf.constant(boxes), tf.constant(scores))
            for one, two in zip(actual, expected):
                np.testing.assert_array_equal(one, two)


@pytest.mark.backends("torch", reason="its method")
def test_boxes_too_many_for_a_matrix(rng):
    arguments = drawn(rng)
    for limit in (0, GROUPS * 12**2):  # none at all; the first three, and twelve, but not all
        with mock.patch.multiple(module, MATRIX=limit, BEST=3):
            actual = [
                keras.ops.convert_to_numpy(each)
                for each in method("_matrix", TOTAL, True)(*map(keras.ops.array, arguments))
            ]
        check(actual, *arguments, TOTAL)


def test_a_chain_longer_than_the_rounds_between_two_looks():
    boxes = np.array([[[2 * n, 0, 2 * n + 10, 1] for n in range(40)]], "float32")
    scores = np.linspace(1, 0.1, 40, dtype="float32")[None]
    for name in METHODS:  # each suppresses the next alone: every other one stays
        index, kept = getattr(module, name)(*map(keras.ops.array, (boxes, scores)), 0.6, 40)
        assert keras.ops.convert_to_numpy(index)[0][:20].tolist() == list(range(0, 40, 2))
        assert keras.ops.convert_to_numpy(kept).sum() == 20

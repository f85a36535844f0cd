"""Matching and sampling against loops over single anchors."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kseg.ops.matching import CROWD_OVERLAP, IGNORED, NEGATIVE, match, sample

relaxed = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def test_what_is_no_object_is_told_apart_and_from_each_object():
    assert NEGATIVE < 0 and IGNORED < 0 and NEGATIVE != IGNORED


def reference(overlaps, valid, positive, negative, keep_best, crowd):
    """One image: as the sentences of Ren et al. say it."""
    result = []
    objects = [m for m in range(len(valid)) if valid[m]]
    for row in overlaps:
        own = max(objects, key=lambda m: row[m], default=None)  # the first of equals
        best = -1.0 if own is None else row[own]
        if best >= np.float32(positive):
            answer = own
        elif best < np.float32(negative):
            in_crowd = any(c and o >= CROWD_OVERLAP for c, o in zip(crowd, row))
            answer = IGNORED if in_crowd else NEGATIVE
        else:
            answer = IGNORED
        if keep_best:
            for m in objects:
                if row[m] > 0 and row[m] == overlaps[:, m].max():
                    answer = own
        result.append(answer)
    return result


@functools.cache
def matcher(positive, negative, keep_best):
    def function(overlaps, valid, crowd):
        return match(
            overlaps,
            valid,
            positive=positive,
            negative=negative,
            keep_best=keep_best,
            crowd=crowd,
        )

    return function


@pytest.mark.parametrize("settings", [(0.7, 0.3, True), (0.5, 0.5, False)], ids=["rpn", "heads"])
@relaxed
@given(seed=seeds)
def test_match_equals_a_loop(run, settings, seed):
    rng = np.random.default_rng(seed)
    shape = (16, 9, 4)
    # tenths: ties of the best are common, and so are values exactly at the thresholds
    overlaps = (rng.integers(0, 11, shape) * (rng.random(shape) < 0.7)).astype("float32") / 10
    kind = rng.integers(0, 3, (16, 4))
    kind[0] = 0  # nothing at all
    valid, crowd = kind == 1, kind == 2
    actual = run(matcher(*settings), overlaps, valid, crowd)
    expected = [reference(*image[:2], *settings, image[2]) for image in zip(overlaps, valid, crowd)]
    np.testing.assert_array_equal(actual, expected)
    assert actual.dtype == np.int32


def test_an_anchor_that_is_best_for_one_object_stands_for_its_own_best(run):
    # Object 0 is overlapped most by anchor 0 (0.2), which overlaps object 1 more (0.25). So anchor
    # 0 becomes positive, for object 1, though anchor 1 is better for that.
    overlaps = np.array([[[0.2, 0.25], [0.1, 0.8], [0.0, 0.0]]], "float32")
    everything = np.ones((1, 2), bool)
    actual = run(matcher(0.7, 0.3, True), overlaps, everything, ~everything)
    np.testing.assert_array_equal(actual, [[1, 1, NEGATIVE]])


def test_no_object_makes_all_background(run):
    nothing = np.zeros((1, 2), bool)
    actual = run(matcher(0.7, 0.3, True), np.ones((1, 3, 2), "float32"), nothing, nothing)
    np.testing.assert_array_equal(actual, [[NEGATIVE] * 3])


@functools.cache
def sampler(count, most_positive):
    return lambda matched, randomness: sample(matched, count, most_positive, randomness)


@pytest.mark.few("8-2", "40-10")
@pytest.mark.parametrize("count, most_positive", [(8, 4), (8, 2), (16, 16), (40, 10)])
@relaxed
@given(seed=seeds)
def test_sample(run, count, most_positive, seed):
    rng = np.random.default_rng(seed)
    matched = rng.choice([IGNORED, NEGATIVE, 0, 1, 2], (32, 20), p=[0.3, 0.3, 0.2, 0.1, 0.1])
    matched[0], matched[1], matched[2] = IGNORED, NEGATIVE, 1
    randomness = (rng.permuted(np.tile(np.arange(20), (32, 1)), axis=1) / 20).astype("float32")
    result = run(sampler(count, most_positive), matched.astype("int32"), randomness)
    for image, key, index, drawn, positive in zip(matched, randomness, *result):
        assert len(index) == len(drawn) == len(positive) == count
        order = sorted(range(20), key=lambda a: -key[a])
        hits = [a for a in order if image[a] >= 0][:most_positive]
        others = [a for a in order if image[a] == NEGATIVE][: count - len(hits)]
        number = len(hits) + len(others)
        np.testing.assert_array_equal(index[:number], hits + others)
        np.testing.assert_array_equal(drawn, np.arange(count) < number)
        np.testing.assert_array_equal(positive, np.arange(count) < len(hits))
        assert len(set(index[:number])) == number
        assert (index >= 0).all() and (index < 20).all()


def test_every_anchor_is_as_likely_as_another(run):
    rng = np.random.default_rng(0)
    matched = np.tile(np.array([NEGATIVE] * 6 + [0] * 4, "int32"), (4000, 1))
    index, _, _ = run(sampler(4, 2), matched, rng.random(matched.shape).astype("float32"))
    counts = np.bincount(index.ravel(), minlength=10)
    # each negative with 2 / 6, each positive with 2 / 4; deviation about sqrt(4000 / 4) = 32
    np.testing.assert_allclose(counts, [4000 / 3] * 6 + [2000] * 4, atol=160)

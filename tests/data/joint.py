"""Samples in which the label can be read off the photo, and what every transform must keep."""

import functools

import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, settings

# A photo in which the label can be read off: class k is drawn in grey 100 * k, void in blue.
GREYS = np.array([0, 100, 200], np.uint8)


def drawn(height, width, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (-(-height // 8), -(-width // 8)))
    label = coarse.repeat(8, 0).repeat(8, 1)[:height, :width].astype(np.int32)
    image = GREYS[label][:, :, None].repeat(3, 2)
    return {"image": tf.constant(image), "label": tf.constant(label)}


def drawn_objects(height, width, seed):
    """Rectangles that touch but do not overlap; class k is drawn in grey 40 * k, one crowd."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(9)[: rng.integers(0, 7)] + 1  # 0 is the ground
    coarse = np.arange(1, 10).reshape(3, 3).repeat(-(-height // 3), 0).repeat(-(-width // 3), 1)
    masks = (coarse[None, :height, :width] == cells[:, None, None]).astype(np.uint8)
    masks = masks[masks.any(axis=(1, 2))]
    classes = 1 + np.arange(len(masks), dtype=np.int32)
    sample = {
        "image": (40 * np.tensordot(classes, masks, 1)).astype(np.uint8)[..., None].repeat(3, 2),
        "masks": masks,
        "classes": classes,
        "crowd": classes == 2,
        "boxes": boxes(masks),
    }
    return {key: tf.constant(value) for key, value in sample.items()}


def boxes(masks):
    def box(mask):
        (y,), (x,) = np.nonzero(mask.any(1)), np.nonzero(mask.any(0))
        return x[0], y[0], x[-1] + 1, y[-1] + 1

    return np.array([box(mask) for mask in masks], np.float32).reshape(-1, 4)


def apply(transform, sample, seed, others=()):
    seed = tf.constant(seed, tf.int32)
    mixes = getattr(transform, "mixes", False)
    partner = (lambda number: others[int(number)],) if mixes else ()
    result = transform(sample, seed, *partner)
    return {key: value.numpy() for key, value in result.items()}


@functools.cache
def graph(transform, task):
    """The transform of a sample and three partners as one graph for photos of any size."""
    sample = drawn(8, 8, 0) if task == "semantic" else drawn_objects(8, 8, 0)
    spec = {k: tf.TensorSpec((None,) * v.shape.rank, v.dtype) for k, v in sample.items()}
    spec["image"] = tf.TensorSpec((None, None, 3), tf.uint8)

    @tf.function(input_signature=[[spec] * 4, tf.TensorSpec((2,), tf.int32)])
    def compiled(samples, seed):
        def partner(number):
            branches = [functools.partial(dict, other) for other in samples[1:]]
            return tf.switch_case(tf.convert_to_tensor(number), branches)

        mixes = getattr(transform, "mixes", False)
        return transform(samples[0], seed, *[partner] * mixes)

    return compiled


def check_consistent(result, samples, void=255):
    """What every transform keeps, of a result and the samples it was made of."""
    assert {k: v.dtype for k, v in result.items()} == {
        k: v.dtype.as_numpy_dtype for k, v in samples[0].items()
    }
    if "label" in result:
        assert result["image"].shape == (*result["label"].shape, 3)
        seen = {i for sample in samples for i in np.unique(sample["label"])}
        assert set(np.unique(result["label"])) <= seen | {void}
        return
    masks, classes = result["masks"], result["classes"]
    assert result["image"].shape == (*masks.shape[1:], 3)
    assert len(masks) == len(classes) == len(result["crowd"]) == len(result["boxes"])
    assert masks.max(initial=0) <= 1 and masks.any(axis=(1, 2)).all()
    assert masks.sum(axis=0, dtype=int).max(initial=0) <= 1  # as in every sample
    np.testing.assert_array_equal(result["boxes"], boxes(masks))
    np.testing.assert_array_equal(result["crowd"], classes == 2)
    assert set(classes) <= {i for sample in samples for i in sample["classes"].numpy()}


def check_aligned(result, reach=3):
    """Away from edges, where neighbours mix, the photo still shows the label or the objects."""
    if "label" in result:
        label = result["label"]
        expected = np.where(label == 255, 0, GREYS[np.minimum(label, 2)]).astype(int)
    else:
        expected = 40 * np.tensordot(result["classes"], result["masks"].astype(int), 1)
    side = 2 * reach + 1
    if min(expected.shape) < side:
        return
    patches = np.lib.stride_tricks.sliding_window_view(expected, (side, side))
    flat = patches.max(axis=(2, 3)) == patches.min(axis=(2, 3))
    inner = slice(reach, -reach), slice(reach, -reach)
    difference = np.abs(result["image"][inner].astype(int) - expected[inner][..., None])
    assert difference[flat].max(initial=0) <= 1


sizes = st.tuples(st.integers(8, 70), st.integers(8, 70))
seeds = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
relaxed = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(relaxed, max_examples=10)
# TensorFlow does the work whatever Keras' backend: once is enough.
once = pytest.mark.backends("tensorflow", reason="not of the backend")

"""Mask targets against a loop over every sample."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_roi_align import interpolated

from kseg.ops.masks import crop_masks
from kseg.ops.paste import paste_masks

relaxed = settings(max_examples=5, deadline=None)
seeds = st.integers(0, 2**32 - 1)
HEIGHT, WIDTH = 20, 33


@functools.cache
def cropper(size, centred=False):
    return lambda masks, boxes, owner: crop_masks(masks, boxes, owner, size, centred=centred)


def reference(mask, box, size, centred=False):
    x1, y1, x2, y2 = box.astype("float64")
    least = 1e-3 if centred else 1
    height, width = max(y2 - y1, least), max(x2 - x1, least)
    rows, columns = (math.ceil(side / size) for side in (height, width))
    result = np.zeros((size, size))
    for i, j in np.ndindex(size, size):
        for a, b in np.ndindex(rows, columns):
            y = y1 + (i + (a + 0.5) / rows) * height / size
            x = x1 + (j + (b + 0.5) / columns) * width / size
            y, x = (y - 0.5, x - 0.5) if centred else (y, x)  # of pixels whose centres are whole
            result[i, j] += interpolated(mask[..., None], y, x)[0] / (rows * columns)
    return result


def drawn(rng, regions=6):
    masks = (rng.random((2, 3, HEIGHT, WIDTH)) < 0.5).astype("uint8")
    ends = rng.integers(0, [WIDTH * 4 + 1, HEIGHT * 4 + 1], (2, 2, regions, 2)) / 4
    boxes = np.concatenate([ends.min(0), ends.max(0)], -1)
    boxes[:, 0] = [0, 0, WIDTH, HEIGHT]
    boxes[0, 1] = 0  # no area
    owner = rng.integers(0, 3, (2, regions)).astype("int32")
    return masks, boxes.astype("float32"), owner


@pytest.mark.few("True", "4-")
@pytest.mark.parametrize("size, centred", [(4, False), (7, False), (7, True)])
@relaxed
@given(seed=seeds)
def test_equals_a_loop_over_samples(run, size, centred, seed):
    masks, boxes, owner = drawn(np.random.default_rng(seed))
    actual = run(cropper(size, centred), masks, boxes, owner)
    assert actual.shape == (2, 6, size, size) and actual.dtype == np.float32
    for image, region in np.ndindex(owner.shape):
        mask = masks[image, owner[image, region]]
        expected = reference(mask, boxes[image, region], size, centred)
        np.testing.assert_allclose(actual[image, region], expected, atol=1e-5)


def test_what_is_cut_at_centres_and_pasted_back_is_what_it_was(run):
    """Objects of up to 8 x 8 in boxes of their own: no pixel is lost, and none is won."""
    rng = np.random.default_rng(0)
    masks = np.zeros((1, 12, HEIGHT, WIDTH), "uint8")
    boxes = np.zeros((1, 12, 4), "float32")
    for mask, box in zip(masks[0], boxes[0]):
        height, width = rng.integers(2, 9, 2)
        y, x = rng.integers(0, [HEIGHT - height + 1, WIDTH - width + 1])
        part = mask[y : y + height, x : x + width]
        part[:] = rng.random((height, width)) < 0.6
        part[[0, -1]] = part[:, [0, -1]] = 1  # so that the box is its own
        box[:] = x, y, x + width, y + height
    owner = np.arange(12, dtype="int32")[None]
    small = run(cropper(28, True), masks, boxes, owner)
    back = paste_masks(small[0], boxes[0], HEIGHT, WIDTH, threshold=0.5, centred=True)
    np.testing.assert_array_equal(back, masks[0] != 0)
    # by torchvision's rule they grow
    small = run(cropper(28), masks, boxes, owner)
    back = paste_masks(small[0], boxes[0], HEIGHT, WIDTH, threshold=0.5)
    assert back.sum() > 1.1 * masks.sum()


def test_sides_that_are_multiples_of_the_grid(run):
    # A bin of 84 / 28 = 3 pixels has 3 samples, at 0.5, 1.5 and 2.5 of them (84 * (1 / 28) is
    # rounded to above 3). Of columns 0 1 0 1 ... the samples lie half way: all are 0.5 but the
    # last, which is beyond the last column and so takes its value, 1.
    masks = np.tile(np.arange(84, dtype="uint8") % 2, (1, 1, 84, 1))
    boxes = np.array([[[0, 0, 84, 84]]], "float32")
    actual = run(cropper(28), masks, boxes, np.zeros((1, 1), "int32"))
    expected = np.full((28, 28), 0.5)
    expected[:, -1] = (0.5 + 0.5 + 1) / 3
    np.testing.assert_allclose(actual[0, 0], expected, atol=1e-5)


def test_whole_and_empty_masks(run):
    masks = np.stack([np.zeros((HEIGHT, WIDTH)), np.ones((HEIGHT, WIDTH))])[None].astype("uint8")
    boxes = np.array([[[3, 4, 30, 18], [3, 4, 30, 18], [0, 0, 33, 20]]], "float32")
    actual = run(cropper(4), masks, boxes, np.array([[0, 1, 1]], "int32"))
    np.testing.assert_allclose(actual.mean((2, 3)), [[0, 1, 1]], atol=1e-6)
    np.testing.assert_allclose(actual.std((2, 3)), 0, atol=1e-6)


@pytest.mark.backends("tensorflow", reason="others have no unknown sizes")
def test_unknown_sizes():
    import tensorflow as tf

    specification = [
        tf.TensorSpec((None,) * 4, tf.uint8),
        tf.TensorSpec((None, None, 4)),
        tf.TensorSpec((None, None), tf.int32),
    ]
    function = tf.function(cropper(4), input_signature=specification, autograph=False)
    case = drawn(np.random.default_rng(0))
    for cut in (1, 2):
        arguments = [tf.constant(x[:cut]) for x in case]
        np.testing.assert_allclose(function(*arguments), cropper(4)(*arguments), atol=1e-6)


@pytest.mark.backends("tensorflow", reason="TensorFlow's graphs alone")
def test_images_of_unknown_size():
    """A graph that knows neither height nor width takes as many samples as any other."""
    import tensorflow as tf

    masks = np.zeros((1, 1, 300, 200), "uint8")
    masks[:, :, 37:250, 11:160] = 1
    boxes, owner = np.array([[[3, 5, 190, 290]]], "float32"), np.zeros((1, 1), "int32")
    unknown = tf.function(
        cropper(4),
        input_signature=[
            tf.TensorSpec((1, None, None, None), tf.uint8),
            tf.TensorSpec((1, 1, 4), tf.float32),
            tf.TensorSpec((1, 1), tf.int32),
        ],
    )
    actual = unknown(masks, boxes, owner).numpy()
    np.testing.assert_allclose(actual[0, 0], reference(masks[0, 0], boxes[0, 0], 4), atol=1e-5)

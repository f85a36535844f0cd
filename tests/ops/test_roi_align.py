"""RoIAlign: values against loops over samples, gradients against the transpose."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from kseg.ops.roi_align import level_of, roi_align, weighted_rows
from kseg.ops.torch_rows import weighted_rows_by_adding

relaxed = settings(max_examples=5, deadline=None)
seeds = st.integers(0, 2**32 - 1)
STRIDES = (4, 8)
SIZES = ((12, 16), (6, 8))  # of an image of 48x64


def interpolated(image, y, x):
    """Bilinear value of `(h, w, C)` at one place, as torchvision's kernel has it."""
    height, width, channels = image.shape
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(channels)
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    top = image[y0, x0] * (x0 + 1 - x) + image[y0, x1] * (x - x0)
    bottom = image[y1, x0] * (x0 + 1 - x) + image[y1, x1] * (x - x0)
    return top * (y0 + 1 - y) + bottom * (y - y0)


def reference(features, boxes, size, ratio):
    """One image: `(R, P, P, C)`."""
    result = np.zeros((len(boxes), size, size, features[0].shape[-1]))
    for n, box in enumerate(boxes):
        side = np.sqrt(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))
        wanted = np.floor(4 + np.log2(max(side, 1e-9) / 224) + 1e-6) - 2
        level = int(np.clip(wanted, 0, len(features) - 1))
        x1, y1, x2, y2 = box / STRIDES[level]
        height, width = max(y2 - y1, 1) / size, max(x2 - x1, 1) / size
        for i, j in np.ndindex(size, size):
            for a, b in np.ndindex(ratio, ratio):
                y = y1 + (i + (a + 0.5) / ratio) * height
                x = x1 + (j + (b + 0.5) / ratio) * width
                result[n, i, j] += interpolated(features[level], y, x) / ratio**2
    return result


@functools.cache
def aligner(size, ratio, levels=2):
    def function(boxes, *features):
        return roi_align(features, boxes, size, strides=STRIDES[:levels], ratio=ratio)

    return function


@functools.cache
def of_features(size, boxes):
    """The same with the boxes fixed: a linear function of the features."""
    boxes = np.reshape(np.frombuffer(boxes, "float32"), (2, -1, 4))
    return lambda *features: roi_align(
        features, ops.convert_to_tensor(boxes), size, strides=STRIDES
    )


def drawn(rng, regions=12):
    """Features and boxes in quarters of a pixel, within, across and beyond the border, flat,
    reversed and larger than the image."""
    features = [rng.normal(size=(2, *size, 3)).astype("float32") for size in SIZES]
    corner = rng.integers(-60, 260, (2, regions, 2))
    sides = rng.integers(0, 200, corner.shape) * (rng.random(corner.shape) < 0.9)
    boxes = np.concatenate([corner, corner + sides], -1) / 4
    boxes[:, 0] = [0, 0, 64, 48]
    boxes[:, 1] = [-300, -200, 700, 900]
    boxes[:, 2] = [20, 30, 16, 40]  # ends before it begins
    boxes[:, 3] = [0, 0, 0, 0]
    return features, boxes.astype("float32")


@pytest.mark.few("3-2", "7-1")
@pytest.mark.parametrize("size, ratio", [(3, 2), (2, 3), (7, 1)])
@relaxed
@given(seed=seeds)
def test_equals_a_loop_over_samples(run, size, ratio, seed):
    features, boxes = drawn(np.random.default_rng(seed))
    if run.way == "xla":
        # it multiplies by reciprocals: samples just on the border, beyond which all is 0, may fall
        # on either side; of quarters, thirds and sevenths none is there now
        boxes += np.float32(0.003)
    actual = run(aligner(size, ratio), boxes, *features)
    for image in range(2):
        expected = reference([f[image] for f in features], boxes[image], size, ratio)
        np.testing.assert_allclose(actual[image], expected, atol=2e-5)


def test_a_ramp_gives_the_centres_of_the_bins(run):
    # feature value 2 y + 3 x + 1 at each pixel; box 8..40 x 4..36 is 2..10 x 1..9 at stride 4, and
    # bins are 2 wide: centres at x = 3, 5, 7, 9 and y = 2, 4, 6, 8
    y, x = np.mgrid[:12, :16]
    ramp = (2 * y + 3 * x + 1)[None, ..., None].astype("float32")
    actual = run(aligner(4, 2, 1), np.array([[[8, 4, 40, 36]]], "float32"), ramp)
    centres = 2 * np.array([2, 4, 6, 8])[:, None] + 3 * np.array([3, 5, 7, 9]) + 1
    np.testing.assert_allclose(actual[0, 0, :, :, 0], centres, rtol=1e-6)


def test_levels_by_hand(run):
    # side 224 -> level 4, which is third of strides 4, 8, 16, 32; each halving is one level less
    sides = np.array([0, 1, 55, 56, 111, 112, 223, 224, 447, 448, 1e4], "float32")
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], -1)
    boxes = np.concatenate([boxes, [[0, 0, 448, 112], [5, 5, 3, 9]]]).astype("float32")
    actual = run(lambda b: level_of(b, (4, 8, 16, 32)), boxes)
    np.testing.assert_array_equal(actual, [0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 2, 0])


@relaxed
@given(seed=seeds)
def test_rows_and_their_transpose(run, gradient, seed):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(9, 5)).astype("float32")
    index = rng.integers(0, 9, (30, 4)).astype("int32")
    weight = rng.normal(size=(30, 4)).astype("float32")
    upstream = rng.normal(size=(30, 5)).astype("float32")
    matrix = np.zeros((30, 9))
    np.add.at(matrix, (np.arange(30)[:, None], index), weight)
    np.testing.assert_allclose(run(weighted_rows, table, index, weight), matrix @ table, atol=1e-5)
    function = functools.partial(_rows, index=index.tobytes(), weight=weight.tobytes())
    (actual,) = gradient(function, upstream, table)
    np.testing.assert_allclose(actual, matrix.T @ upstream, atol=1e-5)


def _rows(table, index, weight):
    index = np.frombuffer(index, "int32").reshape(30, 4).copy()
    weight = np.frombuffer(weight, "float32").reshape(30, 4).copy()
    return weighted_rows(table, *map(ops.convert_to_tensor, (index, weight)))


def test_gradient_is_the_transpose_and_equals_differences(run, gradient):
    rng = np.random.default_rng(1)
    features, boxes = drawn(rng)
    upstream = rng.normal(size=(2, 12, 3, 3, 3)).astype("float32")
    function = of_features(3, boxes.tobytes())
    slopes = gradient(function, upstream, *features)
    value = float((run(function, *features) * upstream).sum())
    # it is linear: <roi_align(f), g> = <f, gradient>, up to rounding of 650 products
    assert sum((f * s).sum() for f, s in zip(features, slopes)) == pytest.approx(value, abs=2e-3)
    for level, place in ((0, (1, 0, 0, 1)), (0, (0, 11, 15, 2)), (1, (1, 3, 4, 0))):
        moved = [f.copy() for f in features]
        moved[level][place] += 1
        change = float((run(function, *moved) * upstream).sum()) - value
        assert change == pytest.approx(slopes[level][place], abs=1e-3)


def test_no_gradient_for_boxes_even_if_they_come_from_the_features(gradient):
    def function(features):
        offset = ops.convert_to_tensor([0, 0, 30.0, 30.0])
        boxes = ops.reshape(features[:, 0, :4, 0] * 10, (1, 1, 4)) + offset
        return roi_align([features], boxes, 2, strides=(4,))

    features = np.random.default_rng(0).random((1, 12, 16, 1)).astype("float32")
    box = features[:, 0, :4, 0].reshape(1, 1, 4) * 10 + np.array([0, 0, 30, 30.0])
    box = ops.convert_to_tensor(box.astype("float32"))
    upstream = np.ones((1, 1, 2, 2, 1), "float32")
    (actual,) = gradient(function, upstream, features)
    (expected,) = gradient(lambda f: roi_align([f], box, 2, strides=(4,)), upstream, features)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_bfloat16(run):
    features, boxes = drawn(np.random.default_rng(2))

    def function(boxes, *features):
        y = roi_align([ops.cast(f, "bfloat16") for f in features], boxes, 3, strides=STRIDES)
        assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
        return ops.cast(y, "float32")

    # features of 8 bits, sums of 16 products
    np.testing.assert_allclose(
        run(function, boxes, *features), run(aligner(3, 2), boxes, *features), atol=0.06
    )


@pytest.mark.backends("tensorflow", reason="others have no unknown sizes")
def test_unknown_sizes_and_a_saved_model(tmp_path):
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(
            input_signature=[tf.TensorSpec((None, None, 4))]
            + [tf.TensorSpec((None,) * 3 + (3,))] * 2,
            autograph=False,
        )
        def align(self, boxes, fine, coarse):
            return roi_align([fine, coarse], boxes, 3, strides=STRIDES)

    module = Module()
    assert module.align.get_concrete_function().output_shapes[2:] == (3, 3, 3)
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    features, boxes = drawn(np.random.default_rng(3))
    for cut in (1, 2):
        arguments = [tf.constant(x[:cut]) for x in (boxes, *features)]
        np.testing.assert_allclose(
            loaded.align(*arguments), aligner(3, 2)(*arguments), rtol=1e-5, atol=1e-6
        )


@pytest.mark.once("torch")
def test_rows_as_on_a_gpu():
    import torch

    rng = np.random.default_rng(3)
    table = torch.tensor(rng.normal(size=(20, 5)), dtype=torch.float32, requires_grad=True)
    index = torch.tensor(rng.integers(0, 20, (30, 10)), dtype=torch.int32)
    weight = torch.tensor(rng.normal(size=(30, 10)), dtype=torch.float32)
    up = torch.tensor(rng.normal(size=(30, 5)), dtype=torch.float32)
    found = []
    for rows in (weighted_rows_by_adding, weighted_rows):
        sums = rows(table, index, weight)
        found.append((sums, *torch.autograd.grad(sums, table, up)))
    for here, elsewhere in zip(*found):
        torch.testing.assert_close(here, elsewhere)
    half = weighted_rows_by_adding(table.bfloat16(), index, weight)
    assert half.dtype == torch.bfloat16
    assert torch.autograd.grad(half, table, up.bfloat16())[0].dtype == torch.float32

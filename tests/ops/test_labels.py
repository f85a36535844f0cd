"""Labels of every accepted form read alike; what does not fit is refused with a remedy."""

import re

import numpy as np
import pytest
from keras import ops

from kseg.ops.labels import concrete, one_hot, pixel_weights, read_labels, void_ids

IDS = np.array([[[0, 1, 2], [255, 2, 0]]])  # (1, 2, 3)
VALID = IDS != 255
ONE_HOT = np.eye(3)[np.where(VALID, IDS, 0)] * VALID[..., None]  # (1, 2, 3, 3)
SHAPE = (1, 2, 3, 3)


@pytest.mark.parametrize(
    "y_true",
    [
        IDS.astype("uint8"),
        IDS.astype("int64"),
        IDS.astype("float32"),
        IDS[..., None].astype("int32"),
        ONE_HOT.astype("float32"),
        ONE_HOT.astype("uint8"),
        ONE_HOT.astype(bool),
    ],
    ids=["uint8", "int64", "float", "channel", "one_hot", "one_hot_uint8", "one_hot_bool"],
)
def test_every_form_reads_alike(y_true):
    labels = read_labels(y_true, SHAPE)
    np.testing.assert_array_equal(concrete(labels.valid), VALID)
    np.testing.assert_array_equal(concrete(labels.ids), np.where(VALID, IDS, 0))
    np.testing.assert_array_equal(concrete(one_hot(labels, 3)), ONE_HOT)
    assert not concrete(labels.invalid)


@pytest.mark.parametrize("y_true", [IDS, ONE_HOT], ids=["ids", "one_hot"])
def test_a_class_may_be_void_in_either_form(y_true):
    labels = read_labels(y_true, SHAPE, ignore_class=(0, 255))
    np.testing.assert_array_equal(concrete(labels.valid), VALID & (IDS != 0))
    np.testing.assert_array_equal(concrete(one_hot(labels, 3))[..., 0], 0)


def test_void_ids():
    assert void_ids(None) == void_ids(()) == ()
    assert void_ids(np.uint8(255)) == void_ids([255]) == (255,)
    assert void_ids((0, -1)) == (0, -1)
    for wrong in (2.5, "255", [[1]]):
        with pytest.raises(ValueError, match="ignore_class"):
            void_ids(wrong)


@pytest.mark.parametrize(
    "true_shape, pred_shape, words",
    [
        ((2, 4, 4), (2, 8, 8, 3), r"\(2, 4, 4\).*\(2, 8, 8, 3\).*nearest"),
        ((2, 4, 4, 3), (2, 8, 8, 3), "nearest"),
        ((2, 8, 8, 4), (2, 8, 8, 3), r"expected \(2, 8, 8\) or \(2, 8, 8, 1\) or \(2, 8, 8, 3\)"),
        ((2, 8, 8, 3), (2, 8, 8, 1), "binary.*3 channels"),
        ((3, 8, 8), (2, 8, 8, 3), "expected"),
        ((2, 8), (2, 8, 8, 3), "expected"),
        ((8,), (8,), "class axis"),
    ],
)
def test_shapes_that_do_not_belong_together(true_shape, pred_shape, words):
    with pytest.raises(ValueError, match=words):
        read_labels(np.zeros(true_shape, "int32"), pred_shape)


@pytest.mark.parametrize(
    "value, channels, words",
    [
        (3, 3, r"\[3\].*0\.\.2.*ignore_class"),
        (-1, 3, r"\[-1\]"),
        (0.5, 3, r"\[0\.5\]"),
        (np.nan, 3, "nan"),
        (2, 1, r"\[2\].*binary"),
        (2**32, 3, r"\[4294967296\]"),
    ],
)
def test_ids_that_are_no_class(value, channels, words):
    y_true = np.array([[0, 1, value, 255]], "float64")
    with pytest.raises(ValueError, match=words):
        read_labels(y_true, (1, 4, channels))


def test_a_picture_is_no_one_hot_label():
    for wrong in (ONE_HOT * 255, ONE_HOT + 0.5, np.where(VALID[..., None], [2.0, -1.0, 0.0], 0)):
        with pytest.raises(ValueError, match="sum to 1"):
            read_labels(wrong, SHAPE)


def test_weights_of_images_and_pixels():
    labels = read_labels(np.array([[0, 1], [255, 1]]), (2, 2, 3))
    expected = [[3.0, 3.0], [0.0, 5.0]]  # the void pixel weighs nothing
    for weight in ([3.0, 5.0], [[3.0, 3.0], [np.nan, 5.0]], [[[3.0], [3.0]], [[9.0], [5.0]]]):
        weights = pixel_weights(np.array(weight, "float32"), labels)
        np.testing.assert_array_equal(concrete(weights), expected)
    np.testing.assert_array_equal(concrete(pixel_weights(None, labels)), [[1, 1], [0, 1]])
    for wrong in ((3,), (2, 2, 3), (2, 1, 1)):  # a weight a class is none a pixel
        with pytest.raises(ValueError, match=re.escape(f"sample_weight.shape={wrong}")):
            pixel_weights(np.ones(wrong), labels)


def test_weights_of_maps_one_pixel_wide():
    labels = read_labels(np.array([[[0], [1]], [[1], [255]]]), (2, 2, 1, 3))
    for shape in ((2, 2, 1), (2, 2, 1, 1)):
        weights = pixel_weights(np.full(shape, 2.0), labels)
        np.testing.assert_array_equal(concrete(weights), [[[2], [2]], [[2], [0]]])


def test_symbolic_values_are_not_concrete():
    import keras

    assert concrete(keras.KerasTensor((2, 3))) is None
    np.testing.assert_array_equal(concrete(ops.ones((2,))), [1, 1])


def test_predictions_that_fit_no_labels_are_named():
    for labels, logits, words in (
        ((3,), (5,), "y_pred needs a batch and a class axis"),
        ((3, 2), (3, 1), "One output channel is binary"),
    ):
        with pytest.raises(ValueError, match=words):
            read_labels(np.zeros(labels, "int32"), logits)

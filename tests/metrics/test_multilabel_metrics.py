"""Metrics of several classes a pixel: by hand, and those of C binary problems."""

import keras
import numpy as np
import pytest

from kseg.metrics import (
    FrequencyWeightedIoU,
    MeanDice,
    MeanIoU,
    MeanPrecision,
    MeanRecall,
    PixelAccuracy,
    confusion_matrix,
    scores,
)
from kseg.metrics.confusion import multilabel_counts

# Class a: TP 1, FP 1, FN 1, TN 0. Class b: TP 1, FP 0, FN 0, TN 1 and a void. Class c: TN 3.
Y_TRUE = np.array([[[1, 1, 0], [0, 0, 0], [1, 255, 0]]])
Y_PRED = np.array([[[2.0, 0.1, -1], [3, -4, -1], [-1, 9, -1]]], "float32")
EXPECTED = {
    MeanIoU: (1 / 3, 1.0, np.nan),
    MeanDice: (1 / 2, 1.0, np.nan),
    MeanPrecision: (1 / 2, 1.0, np.nan),
    MeanRecall: (1 / 2, 1.0, np.nan),
}


@pytest.mark.parametrize("metric_class", EXPECTED)
def test_by_hand(metric_class):
    metric = metric_class(3, multilabel=True, class_names=["a", "b", "c"])
    metric.update_state(Y_TRUE, Y_PRED)
    np.testing.assert_allclose(list(metric.per_class().values()), EXPECTED[metric_class])
    assert float(metric.result()) == pytest.approx(np.nanmean(EXPECTED[metric_class]))
    one = metric_class(3, multilabel=True, class_names=["a", "b", "c"], classes="a")
    one.update_state(Y_TRUE, Y_PRED)
    assert float(one.result()) == pytest.approx(EXPECTED[metric_class][0])


def test_shares_of_labels():
    accuracy, weighted = PixelAccuracy(3, multilabel=True), FrequencyWeightedIoU(3, multilabel=True)
    for metric in (accuracy, weighted):
        metric.update_state(Y_TRUE, Y_PRED)
    assert float(accuracy.result()) == pytest.approx(6 / 8)
    assert float(weighted.result()) == pytest.approx((2 * 1 / 3 + 1 * 1) / 3)
    values = scores(multilabel_counts(Y_TRUE, Y_PRED > 0))
    assert values["pixel_accuracy"] == pytest.approx(6 / 8)
    assert values["frequency_weighted_iou"] == pytest.approx((2 / 3 + 1) / 3)
    np.testing.assert_allclose(values["iou"], [1 / 3, 1, np.nan])


@pytest.mark.once("torch")
def test_it_is_the_mean_of_binary_problems(rng):
    y_true = rng.integers(0, 2, (3, 4, 5, 4)).astype("uint8")
    y_true[rng.random(y_true.shape) < 0.1] = 255
    y_pred = rng.normal(0, 2, y_true.shape).astype("float32")
    weight = (rng.random(y_true.shape[:3]) < 0.7).astype("float32")
    for metric_class in EXPECTED:
        several = metric_class(4, multilabel=True)
        several.update_state(y_true[:2], y_pred[:2], weight[:2])
        several.update_state(y_true[2:], y_pred[2:], weight[2:, ..., None])
        alone = []
        for c in range(4):
            metric = metric_class(1)
            metric.update_state(y_true[..., c], y_pred[..., c, None], weight)
            alone.append(float(metric.result()))
        assert float(several.result()) == pytest.approx(np.mean(alone), rel=1e-6)
    counted = np.where(weight[..., None] > 0, y_true, 255)
    expected = [confusion_matrix(counted[..., c], y_pred[..., c] > 0, 2) for c in range(4)]
    np.testing.assert_array_equal(several.confusion(), expected)


def test_a_threshold_for_each_class():
    p = np.array([[[0.3, 0.3, 0.6], [0.5, 0.5, 0.5]]], "float32")
    y_true = np.array([[[1, 1, 1], [1, 1, 0]]])
    metric = MeanIoU(3, multilabel=True, threshold=(0.5, 0.2, 0.6), from_logits=False)
    metric.update_state(y_true, p)  # above, not from: neither 0.5 of 0.5 nor 0.6 of 0.6
    assert list(metric.per_class().values()) == [0, 1, 0]
    again = MeanIoU.from_config(metric.get_config())
    again.update_state(y_true, np.log(p / (1 - p)) * 0 + p)
    np.testing.assert_array_equal(again.confusion(), metric.confusion())
    decided = MeanIoU(3, multilabel=True)
    decided.update_state(y_true, p > np.float32([0.5, 0.2, 0.6]))  # bool is decided already
    np.testing.assert_array_equal(decided.confusion(), metric.confusion())


@pytest.mark.once("torch")
def test_256_classes_and_void():
    """255 is a value of void and not a class that is never scored."""
    y_true = np.zeros((1, 2, 256), "uint8")
    y_true[..., 255] = 1
    metric = MeanIoU(256, multilabel=True)
    metric.update_state(y_true, np.where(y_true, 9.0, -9.0))
    assert float(metric.result()) == 1 and metric.per_class()["255"] == 1


def test_what_does_not_fit_is_refused():
    for options, message in (
        ({"threshold": 0.3}, "threshold=0.3: expected None without multilabel=True"),
        ({"threshold": (0.3, 0.2), "multilabel": True}, "a list of 3 such, one for each class"),
        ({"threshold": 1.5, "multilabel": True}, "threshold=1.5: expected a number from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            MeanIoU(3, **options)
    with pytest.raises(ValueError, match=r"y_true.shape=\(1, 3\): expected \(1, 3, 3\)"):
        MeanIoU(3, multilabel=True).update_state(Y_TRUE[..., 0], Y_PRED)
    with pytest.raises(ValueError, match=r"ids in y_true=\[7\]"):
        MeanIoU(3, multilabel=True).update_state(7 * Y_TRUE[:, :1], Y_PRED[:, :1])


def test_compiled_it_counts_the_same():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Identity()(image))
    model.compile(loss="mse", metrics=[MeanIoU(3, multilabel=True)])
    _, result = model.evaluate(Y_PRED[None], Y_TRUE[None], verbose=0)
    assert result == pytest.approx((1 / 3 + 1) / 2)

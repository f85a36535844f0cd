"""Expected calibration error: by hand, its bins, and the exactness of its sums."""

import keras
import numpy as np
import pytest
from metrics.compiled import jitted_update

from kseg.metrics import ExpectedCalibrationError
from kseg.metrics.calibration import UNIT
from kseg.ops.decisions import top_class


def two_class(confidence, right):
    """Truth (1, N) and probabilities (1, N, 2) of class 1 predicted with `confidence`."""
    confidence = np.asarray(confidence, "float32")
    y_pred = np.stack([1 - confidence, confidence], -1)[None]
    return np.asarray(right, int)[None], y_pred


def updated(y_true, y_pred, *args, **options):
    metric = ExpectedCalibrationError(2, *args, from_logits=False, **options)
    metric.update_state(y_true, y_pred)
    return metric


def test_by_hand():
    # Bin (0.8, 0.9] of ten: 2 pixels of mean 0.85, 1 right; bin (0.9, 1]: 1 of 1.0, right.
    metric = updated(*two_class([0.82, 0.88, 1.0], [1, 0, 1]), bins=10)
    assert metric.name == "calibration_error"
    assert float(metric.result()) == pytest.approx(2 / 3 * 0.35, rel=1e-6)
    table = metric.reliability()
    np.testing.assert_array_equal(table["pixels"], [0] * 8 + [2, 1])
    np.testing.assert_allclose(table["confidence"][8:], [0.85, 1.0], rtol=1e-6)
    np.testing.assert_allclose(table["accuracy"], [np.nan] * 8 + [0.5, 1.0])
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_bins_hold_their_upper_edge():
    metric = updated(*two_class([0.75, 0.7500001, 0.5], [1, 1, 1]), bins=4)
    np.testing.assert_array_equal(metric.reliability()["pixels"], [0, 1, 1, 1])
    metric = ExpectedCalibrationError(1, 4, from_logits=False)
    metric.update_state(np.array([[0, 1]]), np.array([[[0.0], [1.0]]], "float32"))
    np.testing.assert_array_equal(metric.reliability()["pixels"], [0, 0, 0, 2])  # sure of both
    assert float(metric.result()) == 0.0


def test_a_model_that_is_always_sure_and_right_half_the_time():
    y_true = np.array([[0, 1, 0, 1]])
    y_pred = np.array([[[99.0, 0.0]] * 4])
    metric = ExpectedCalibrationError(2)
    metric.update_state(y_true, y_pred)
    assert float(metric.result()) == pytest.approx(0.5, rel=1e-6)


def test_binary_is_a_softmax_of_two():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (2, 5, 6, 1)).astype("float32")
    y_true = rng.choice([0, 1, 255], (2, 5, 6))
    one, two, probable = (
        ExpectedCalibrationError(1),
        ExpectedCalibrationError(2),
        ExpectedCalibrationError(1, from_logits=False),
    )
    one.update_state(y_true, logits)
    two.update_state(y_true, np.concatenate([0 * logits, logits], -1))
    probable.update_state(y_true, keras.ops.sigmoid(logits))
    for other in (two, probable):
        assert float(one.result()) == pytest.approx(float(other.result()), abs=1e-6)


def test_void_weights_and_forms_of_labels():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (2, 4, 5, 3)).astype("float32")
    y_true = rng.choice([0, 1, 2, 255], (2, 4, 5))
    weight = rng.choice([0.0, 3.0], y_true.shape)
    metrics = [ExpectedCalibrationError(3) for _ in range(4)]
    one_hot = np.eye(256, dtype="float32")[y_true][..., :3]
    metrics[0].update_state(np.where(weight > 0, y_true, 255), logits)
    metrics[1].update_state(y_true, logits, weight)
    metrics[2].update_state(y_true[..., None], logits, weight[..., None])
    metrics[3].update_state(one_hot, logits, weight)
    for metric in metrics[1:]:
        np.testing.assert_array_equal(metric.counts(), metrics[0].counts())


def test_known_confidences_count_the_same():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (2, 4, 5, 3)).astype("float32")
    y_true = rng.choice([0, 1, 2, 255], (2, 4, 5))
    whole, known = ExpectedCalibrationError(3), ExpectedCalibrationError(3)
    whole.update_state(y_true, logits)
    known.update_confidence(y_true, *top_class(logits))
    np.testing.assert_array_equal(known.counts(), whole.counts())


@pytest.mark.once("torch")
def test_sums_are_exact_integers():
    """The counted bytes give back every confidence, to its last of 24 bits."""
    confidence = np.random.default_rng(3).uniform(0.5, 1, 5000).astype("float32")
    metric = ExpectedCalibrationError(2, bins=1, from_logits=False)
    metric.update_confidence(np.ones((1, 5000), int), np.ones((1, 5000), int), confidence[None])
    exact = np.round(confidence.astype("float64") * UNIT).sum() / UNIT
    assert metric.reliability()["confidence"][0] * 5000 == pytest.approx(exact, abs=5000 / UNIT)
    whole = metric.counts()
    halves = [ExpectedCalibrationError(2, bins=1, from_logits=False) for _ in range(2)]
    for half, part in zip(halves, np.split(np.random.default_rng(0).permutation(5000), 2)):
        ones = np.ones((1, 2500), int)
        half.update_confidence(ones, ones, confidence[part][None])
    halves[0].merge_state(halves[1:])
    np.testing.assert_array_equal(halves[0].counts(), whole)
    assert float(halves[0].result()) == float(metric.result())


def test_what_is_no_probability():
    y_true, y_pred = two_class([0.9, 0.6], [1, 0])
    with pytest.raises(ValueError, match="from_logits=False"):
        updated(y_true, y_pred * 9)
    with pytest.raises(ValueError, match="y_pred.dtype=.int"):
        updated(y_true, y_pred.astype("int32"))
    with pytest.raises(ValueError, match=r"\(B, ..., 2\)"):
        updated(y_true, y_pred[..., :1])
    with pytest.raises(ValueError, match=r"ids in y_true=\[7\]"):
        updated(y_true + 6 * (y_true == 1), y_pred)
    if keras.config.backend() != "torch":
        metric = ExpectedCalibrationError(2, from_logits=False)
        jitted_update(metric)(y_true, y_pred * 9)
        assert np.isnan(float(metric.result()))


def test_a_diverged_model_makes_the_result_nan_and_stops_nothing():
    metric = ExpectedCalibrationError(2)
    metric.update_state(np.array([[0, 1]]), np.array([[[0.0, 1.0], [np.nan, 0.0]]], "float32"))
    assert np.isnan(float(metric.result()))
    metric.reset_state()
    metric.update_state(np.array([[0, 255]]), np.array([[[0.0, 1.0], [np.nan, 0.0]]], "float32"))
    assert not np.isnan(float(metric.result()))  # at a void pixel it does not matter


@pytest.mark.parametrize("bins", [0, -1, 1.5, True, None])
def test_wrong_bins(bins):
    with pytest.raises(ValueError, match="bins"):
        ExpectedCalibrationError(2, bins)

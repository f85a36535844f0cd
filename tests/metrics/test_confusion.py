"""The NumPy helpers: counts and every score, by hand."""

import numpy as np
import pytest

from kseg.metrics import confusion, confusion_matrix, scores

COUNTS = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])  # class 2 neither true nor predicted


def test_counts_by_hand():
    y_true = np.array([[0, 0, 1], [255, 2, 1]], "uint8")
    y_pred = np.array([[0, 1, 1], [9, 0, 1]])  # the 9 stands at a void pixel
    expected = [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    counts = confusion_matrix(y_true, y_pred, 3)
    assert counts.dtype == "int64"
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(confusion_matrix(y_true, y_pred, 3, (255, 2))[2], 0)


def test_pieces_count_as_the_whole(monkeypatch, rng):
    truth, predicted = rng.integers(0, 4, (2, 7, 11)), rng.integers(0, 3, (2, 7, 11))
    truth[truth == 3] = 255
    whole = confusion_matrix(truth, predicted, 3)
    for piece in (1, 50, 153, 154, 155):  # of 154 pixels
        monkeypatch.setattr(confusion, "PIECE", piece)
        np.testing.assert_array_equal(confusion_matrix(truth, predicted, 3), whole)
    assert whole.sum() == np.count_nonzero(truth != 255)
    predicted[1, 6, 10] = 3
    truth[1, 6, 10] = 0
    with pytest.raises(ValueError, match=r"ids in y_pred=\[3\]"):
        confusion_matrix(truth, predicted, 3)


def test_scores_by_hand():
    # Class 0: TP 3, truth 4, predicted 3. Class 1: TP 4, truth 4, predicted 5.
    result = scores(COUNTS)
    np.testing.assert_allclose(result["iou"], [3 / 4, 4 / 5, np.nan])
    np.testing.assert_allclose(result["dice"], [6 / 7, 8 / 9, np.nan])
    np.testing.assert_allclose(result["accuracy"], [3 / 4, 1, np.nan])
    np.testing.assert_allclose(result["precision"], [1, 4 / 5, np.nan])
    np.testing.assert_array_equal(result["pixels"], [4, 4, 0])
    assert result["mean_iou"] == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert result["mean_dice"] == pytest.approx((6 / 7 + 8 / 9) / 2)
    assert result["mean_accuracy"] == pytest.approx((3 / 4 + 1) / 2)
    assert result["pixel_accuracy"] == pytest.approx(7 / 8)
    assert result["frequency_weighted_iou"] == pytest.approx((3 / 4 + 4 / 5) / 2)  # 4 pixels each


def test_an_ignored_class_leaves_the_means():
    result = scores(COUNTS, ignore_class=0)
    assert result["mean_iou"] == pytest.approx(4 / 5)
    assert np.isnan(result["iou"][0])


def test_nothing_counted_is_nan():
    result = scores(np.zeros((2, 2), int))
    means = [value for value in result.values() if isinstance(value, float)]
    assert len(means) == 5 and np.all(np.isnan(means))


def test_errors():
    with pytest.raises(ValueError, match="shape"):
        confusion_matrix(np.zeros(3, int), np.zeros(4, int), 2)
    with pytest.raises(ValueError, match=r"ids in y_true=\[7\]"):
        confusion_matrix(np.array([7]), np.array([0]), 2)
    with pytest.raises(ValueError, match=r"ids in y_pred=\[-1\]"):
        confusion_matrix(np.array([0]), np.array([-1]), 2)
    with pytest.raises(ValueError, match="square"):
        scores(np.zeros((2, 3)))

"""Focal loss, L1 and L2: by hand, and their limits."""

import numpy as np
import pytest

from kseg.losses import FocalLoss, cross_entropy, focal, l1, l2

Y_TRUE = np.array([[0, 1, 255]])
Y_PRED = np.array([[[0, np.log(3)]] * 3], "float32")  # probabilities (1/4, 3/4)


def test_focal_by_hand():
    # True probabilities 1/4 and 3/4: with gamma = 2, 9/16 ln 4 and 1/16 ln(4/3).
    costs = np.array([9, 1]) / 16 * np.log([4, 4 / 3])
    assert float(focal(Y_TRUE, Y_PRED)) == pytest.approx(costs.mean(), rel=1e-6)
    one = float(focal(Y_TRUE, Y_PRED[..., 1:]))  # one channel is the logit ln 3 of class 1
    assert one == pytest.approx(costs.mean(), rel=1e-6)
    # alpha = 0.9 multiplies class 0 by 0.1 and class 1 by 0.9, and divides by the pixels.
    loss = float(focal(Y_TRUE, Y_PRED, alpha=0.9))
    assert loss == pytest.approx((0.1 * costs[0] + 0.9 * costs[1]) / 2, rel=1e-6)
    # Class weights divide by their sum.
    loss = float(focal(Y_TRUE, Y_PRED, class_weight={0: 3.0}))
    assert loss == pytest.approx((3 * costs[0] + costs[1]) / 4, rel=1e-6)
    # Half of each class: the mean of both costs at each pixel.
    soft = np.array([[[0.5, 0.5], [0.5, 0.5], [0, 0]]], "float32")
    assert float(focal(soft, Y_PRED)) == pytest.approx(costs.mean(), rel=1e-6)


def test_no_focus_is_cross_entropy_and_more_focus_costs_less(case):
    for channels in (1, 4):
        y_true, y_pred, weight = case(9, channels)
        values = [float(focal(y_true, y_pred, weight, gamma=g)) for g in (0, 0.5, 1, 2, 5)]
        assert values[0] == pytest.approx(float(cross_entropy(y_true, y_pred, weight)), rel=1e-7)
        assert np.all(np.diff(values) < 0)


def test_focal_keeps_the_digits_of_confident_pixels(gradient):
    # 1 - p = 1 / (1 + e^13) = 2.26e-6, of which a float32 difference from 1 keeps 5 bits.
    miss = 1 / (1 + np.exp(13))
    loss = float(focal(np.array([[1]]), np.array([[[13.0]]], "float32"), gamma=1.0))
    assert loss == pytest.approx(-miss * np.log1p(-miss), rel=1e-4, abs=0)
    # A pixel of p = 1, where the slope of (1 - p) ** 0.5 is infinite.
    sure = np.array([[[200.0]]], "float32")
    assert np.all(gradient(lambda x: focal(np.array([[1]]), x, gamma=0.5), sure) == 0)


def test_distances_by_hand():
    # |p - t| sums to 2 (1 - p) of the true class, 3/2 and 1/2; squares to 2 (1 - p)^2, 9/8 and 1/8.
    assert float(l1(Y_TRUE, Y_PRED)) == pytest.approx(1, rel=1e-6)
    assert float(l2(Y_TRUE, Y_PRED)) == pytest.approx(5 / 8, rel=1e-6)
    # One channel has one difference: 3/4 and 1/4.
    assert float(l1(Y_TRUE, Y_PRED[..., 1:])) == pytest.approx(1 / 2, rel=1e-6)
    assert float(l2(Y_TRUE, Y_PRED[..., 1:])) == pytest.approx(5 / 16, rel=1e-6)
    loss = float(l1(Y_TRUE, Y_PRED, np.array([[3.0, 1, 7]])))
    assert loss == pytest.approx((3 * 3 / 2 + 1 / 2) / 4, rel=1e-6)
    # A soft label that is met costs nothing.
    soft = np.array([[[0.25, 0.75]] * 3], "float32")
    assert float(l1(soft, Y_PRED)) == pytest.approx(0, abs=1e-6)
    assert float(l2(soft, Y_PRED)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("options", [{"gamma": -1.0}, {"alpha": 1.5}, {"gamma": "2"}])
def test_wrong_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        FocalLoss(**options)

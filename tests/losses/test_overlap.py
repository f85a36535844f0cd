"""Jaccard, Tversky and focal Tversky: by hand, and how they contain each other and Dice."""

import numpy as np
import pytest

from kseg.losses import (
    FocalTverskyLoss,
    JaccardLoss,
    TverskyLoss,
    dice,
    focal_tversky,
    jaccard,
    tversky,
)


def test_by_hand():
    # Probabilities 1/2 each, truth (0, 0, 1): I = (1, 1/2), P = (3/2, 3/2), T = (2, 1).
    y_true, y_pred = np.array([[0, 0, 1, 255]]), np.zeros((1, 4, 2), "float32")
    # J = I / (P + T - I) = (1 / 2.5, 0.5 / 2) = (2/5, 1/4): the loss is 1 - 13/40.
    assert float(jaccard(y_true, y_pred)) == pytest.approx(27 / 40, rel=1e-5)
    # False positives P - I = (1/2, 1), false negatives T - I = (1, 1/2). With alpha = 0.2 and
    # beta = 0.6, T = (1 / 1.7, 0.5 / 1) = (10/17, 1/2) and 1 - T = (7/17, 1/2).
    options = {"alpha": 0.2, "beta": 0.6}
    loss = float(tversky(y_true, y_pred, **options))
    assert loss == pytest.approx((7 / 17 + 1 / 2) / 2, rel=1e-5)
    loss = float(focal_tversky(y_true, y_pred, gamma=2.0, **options))
    assert loss == pytest.approx((49 / 289 + 1 / 4) / 2, rel=5e-5)
    # One channel: class 1 alone.
    loss = float(focal_tversky(y_true, y_pred[..., :1], gamma=0.5, **options))
    assert loss == pytest.approx(0.5**0.5, rel=1e-5)


@pytest.mark.parametrize("reduce", ["batch", "image"])
@pytest.mark.parametrize("absent", ["ignore", "penalize"])
def test_the_family(case, absent, reduce):
    y_true, y_pred, weight = case(7)
    options = {"absent": absent, "reduce": reduce, "class_weight": [1.0, 2.0, 3.0, 4.0]}

    def value(loss, **more):
        return float(loss(y_true, y_pred, weight, **options, **more))

    # Dice has twice the smoothing: 2 I + s over P + T + s.
    half = value(tversky, alpha=0.5, beta=0.5, smooth=0.1)
    assert half == pytest.approx(value(dice, smooth=0.2), rel=1e-6)
    assert value(tversky, alpha=1.0, beta=1.0) == pytest.approx(value(jaccard), rel=1e-6)
    assert value(focal_tversky, gamma=1.0) == pytest.approx(value(tversky), rel=1e-6)


def test_jaccard_follows_from_dice(case):
    # J = D / (2 - D), class by class: here the foreground of one channel. So 1 - J = 2 L / (1 + L).
    y_true, y_pred, weight = case(8, 1)
    d = float(dice(y_true, y_pred, weight, smooth=1e-9))
    assert float(jaccard(y_true, y_pred, weight, smooth=1e-9)) == pytest.approx(2 * d / (1 + d))


def test_alpha_weighs_false_positives_and_beta_false_negatives():
    y_true = np.array([[1, 1, 0, 0]])
    more, fewer = np.array([[[1.0], [1], [1], [0]]]), np.array([[[1.0], [0], [0], [0]]])
    for scores, slope in ((more, "alpha"), (fewer, "beta")):
        values = [
            float(tversky(y_true, scores, from_logits=False, **{"alpha": 1, "beta": 1, slope: k}))
            for k in (0.0, 1.0, 2.0)
        ]
        assert values[0] == pytest.approx(0, abs=1e-6) and values[0] < values[1] < values[2]


def test_absent_classes_cost_only_if_asked():
    # Class 1 of 3 absent and predicted with 1/3 everywhere: its index is 0 (but for smoothing).
    y_true, y_pred = np.array([[0, 2]]), np.zeros((1, 2, 3), "float32")
    present = 1 - (1 / 3) / (1 + 2 / 3 - 1 / 3)
    assert float(jaccard(y_true, y_pred)) == pytest.approx(present, rel=1e-4)
    both = float(jaccard(y_true, y_pred, absent="penalize"))
    assert both == pytest.approx((2 * present + 1) / 3, rel=1e-4)


def test_the_power_goes_on_as_a_line_near_zero(gradient):
    # A loss of 2e-7, where the power 0.75 has the slope 34; the line's is 1e-6 ** -0.25 = 32.
    y_true = np.array([[1, 0]])
    p = np.array([[[1.0], [2.0**-22]]], "float32")
    loss = float(focal_tversky(y_true, p, from_logits=False, alpha=1.0))
    assert loss == pytest.approx(2.0**-22 * 1e-6**-0.25, rel=1e-3)
    slope = gradient(lambda x: focal_tversky(y_true, x, from_logits=False, alpha=1.0), p)
    assert slope[0, 1, 0] == pytest.approx(1e-6**-0.25, rel=1e-3)


@pytest.mark.parametrize("loss", [JaccardLoss, TverskyLoss, FocalTverskyLoss])
@pytest.mark.parametrize(
    "options",
    [
        {"smooth": 0.0},
        {"absent": "drop"},
        {"reduce": None},
        {"alpha": -1.0},
        {"beta": float("inf")},
        {"gamma": 0.0},
    ],
)
def test_wrong_options(loss, options):
    name = next(iter(options))
    if name in loss().get_config():
        with pytest.raises(ValueError, match=name):
            loss(**options)

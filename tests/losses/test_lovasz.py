"""Lovasz: by hand, equal to the Jaccard loss on hard decisions, convex between them."""

import keras
import numpy as np
import pytest

from kseg.losses import LovaszLoss, lovasz
from kseg.losses.lovasz import _jaccard_steps


def test_by_hand():
    # Truth (1, 1, 0), foreground 0.9, 0.3, 0.6: errors 0.1, 0.7, 0.6, sorted 0.7, 0.6, 0.1.
    # J of the first set {pixel 1}: 1 - 1/2; of {1, 2}: 1 - 1/3; of all: 1. Steps 1/2, 1/6, 1/3.
    y_true, p = np.array([[1, 1, 0, 255]]), np.array([[[0.9], [0.3], [0.6], [0.5]]])
    foreground = 0.7 / 2 + 0.6 / 6 + 0.1 / 3
    loss = float(lovasz(y_true, p, from_logits=False))
    assert loss == pytest.approx(foreground, rel=1e-6)
    # Of the background the same errors, truth (0, 0, 1). J: {1} 1 - 1/2, {1, 2} 1, all 1.
    background = 0.7 / 2 + 0.6 / 2
    both = np.concatenate([1 - p, p], -1)
    loss = float(lovasz(y_true, both, from_logits=False))
    assert loss == pytest.approx((foreground + background) / 2, rel=1e-6)
    # A pixel of weight 2 is that pixel twice.
    weighted = float(lovasz(y_true, p, np.array([[1.0, 2, 1, 1]]), from_logits=False))
    twice = float(lovasz(y_true[:, [0, 1, 1, 2]], p[:, [0, 1, 1, 2]], from_logits=False))
    assert weighted == pytest.approx(twice, rel=1e-6)


def test_hinge_by_hand():
    # Truth (1, 0), logits 2 and 1: margins max(0, 1 - 2) = 0 and 1 + 1 = 2. J of {1}: 1 - 1/2.
    y_true, y_pred = np.array([[1, 0]]), np.array([[[2.0], [1.0]]])
    assert float(lovasz(y_true, y_pred, hinge=True)) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("absent", ["ignore", "penalize"])
def test_hard_decisions_cost_one_minus_iou(channels, absent):
    """Exactly: 1 - intersection / union of pixel counts."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        y_true = rng.choice([0, 1, 255] if channels == 1 else [0, 1, 2, 255], (3, 5, 6))
        decision = rng.integers(0, max(channels, 2), y_true.shape)
        p = (decision[..., None] == np.arange(channels)) if channels > 1 else decision[..., None]
        valid, costs = y_true != 255, []
        for c in range(channels) if channels > 1 else [1]:
            truth, predicted = (y_true == c) & valid, (decision == c) & valid
            if truth.any() or (absent == "penalize" and predicted.any()):
                costs.append(1 - (truth & predicted).sum() / (truth | predicted).sum())
            elif absent == "penalize":
                costs.append(0.0)
        loss = float(lovasz(y_true, p.astype("float32"), from_logits=False, absent=absent))
        assert loss == pytest.approx(np.mean(costs), rel=1e-6)


def test_steps_keep_their_digits():
    """A million pixels: each step to 1e-5, where neighbouring J differ in their last bits."""
    count = 1_000_000
    inside = (np.random.default_rng(0).random(count) < 0.3).astype("float32")
    weights = (keras.ops.convert_to_tensor(x[None, None]) for x in (inside, 1 - inside))
    steps = keras.ops.convert_to_numpy(_jaccard_steps(*weights))
    missed, total = np.cumsum(inside, dtype="float64"), inside.sum(dtype="float64")
    union = total + np.cumsum(1 - inside, dtype="float64")
    exact = np.diff(1 - (total - missed) / union, prepend=0.0)
    np.testing.assert_allclose(steps[0, 0], exact, rtol=1e-5, atol=1e-15)


def test_wrong_options():
    with pytest.raises(ValueError, match="absent"):
        LovaszLoss(absent="drop")
    with pytest.raises(ValueError, match="hinge.*from_logits"):
        LovaszLoss(hinge=True, from_logits=False)
    with pytest.raises(ValueError, match="hinge.*4"):
        lovasz(np.array([[0]]), np.zeros((1, 1, 4)), hinge=True)
    with pytest.raises(ValueError, match="reduce"):
        lovasz(np.array([[0]]), np.zeros((1, 1, 4)), reduce="mean")

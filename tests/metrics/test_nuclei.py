"""The nuclei field's average precision, against the Data Science Bowl's rule written out."""

import numpy as np
import pytest

from kseg.metrics import NucleiAP

IOUS = np.arange(0.5, 1.0, 0.05).round(2)


def by_the_rule(truth, predicted):
    """TP, FP and FN of two label images, 0 the background, at each IoU: each pair of objects."""
    counts = np.zeros((len(IOUS), 3))
    trues, founds = (np.unique(each[each > 0]) for each in (truth, predicted))
    for row, level in zip(counts, IOUS):
        hits = set()
        for t in trues:
            for n in founds:
                a, b = truth == t, predicted == n
                if (a & b).sum() / (a | b).sum() > level:
                    hits.add((t, n))
        row[:] = len(hits), len(founds) - len(hits), len(trues) - len(hits)
    return counts


def photos(seed, count=5):
    rng = np.random.default_rng(seed)
    for index in range(count):
        truth = rng.integers(0, 7, (5, 6)).repeat(4, 0).repeat(4, 1) * (index > 0)
        predicted = np.where(rng.random(truth.shape) < 0.15, 0, np.roll(truth, index % 2, 1))
        predicted[predicted == 3] = 0
        yield truth, np.where(predicted == 0, rng.random(truth.shape) < 0.3 * index, predicted) * 1


@pytest.mark.parametrize("seed", range(3))
def test_photos_are_scored_by_the_rule(seed):
    precision, counts = NucleiAP(1), []
    for truth, predicted in photos(seed):
        precision.update(truth - 1, [0] * 7, predicted - 1, [0] * 7)
        counts.append(by_the_rule(truth, predicted))
    counts = np.array([each for each in counts if each.sum()])  # of photos with any object
    each = counts[..., 0] / counts.sum(-1)
    result = {name: float(values[0]) for name, values in precision.result().items()}
    assert result["nuclei_ap"] == pytest.approx(each.mean(), rel=1e-12)
    assert result["nuclei_ap50"] == pytest.approx(each[:, 0].mean(), rel=1e-12)
    assert result["nuclei_ap75"] == pytest.approx(each[:, 5].mean(), rel=1e-12)
    pooled = counts.sum(0)
    assert result["nuclei_ap_pooled"] == pytest.approx((pooled[:, 0] / pooled.sum(-1)).mean())
    assert 0.05 < result["nuclei_ap"] < result["nuclei_ap50"] < 1


def test_classes_are_scored_apart_and_crowds_left_out():
    truth = np.array([[0, 0, -1, 1, 1, -1, 2, 2, 2, 2]])
    predicted = np.array([[0, 0, -1, 1, 1, -1, 2, 2, 2, -1]])
    precision = NucleiAP(4)
    precision.update(truth, [0, 1, 2], predicted, [0, 2, 2], crowd=[False, False, True])
    # class 0 found; the object of class 1 is missed, called 2, an error of 2; the crowd is none
    np.testing.assert_array_equal(precision.result()["nuclei_ap"], [1, 0, 0, np.nan])


def test_half_is_not_enough():
    precision = NucleiAP(1)
    precision.update(np.array([[0, 0, 0, 0]]), [0], np.array([[0, 0, -1, -1]]), [0])
    assert precision.result()["nuclei_ap50"] == [0]


def test_without_photos():
    assert np.isnan(NucleiAP(2).result()["nuclei_ap"]).all()

"""Panoptic quality by hand, and against a slow reading of the paper."""

import numpy as np
import pytest

from kseg.metrics import PanopticQuality
from kseg.metrics.overlaps import flattened


def line(*segments, length=20):
    """A photo one pixel high: each segment is (first, last + 1), numbered from 0."""
    top = np.full((1, length), -1)
    for position, (first, stop) in enumerate(segments):
        top[0, first:stop] = position
    return top


def scored(truth, truth_classes, predicted, predicted_classes, **options):
    quality = PanopticQuality(2)
    quality.update(line(*truth), truth_classes, line(*predicted), predicted_classes, **options)
    return {name: values.tolist() for name, values in quality.result().items()}


def test_a_perfect_photo():
    scores = scored([(0, 5), (5, 9)], [0, 1], [(5, 9), (0, 5)], [1, 0])
    assert scores["pq"] == scores["sq"] == scores["rq"] == [1, 1]
    assert (scores["tp"], scores["fp"], scores["fn"]) == ([1, 1], [0, 0], [0, 0])


def test_by_hand():
    # Class 0: 0..5 predicted as 0..4, IoU 4/5; 5..9 missed; 12..14 invented: TP, FN and FP of
    # one each.
    # SQ = 4/5, RQ = 1 / (1 + 1/2 + 1/2) = 1/2, PQ = 2/5. Class 1 is nowhere.
    scores = scored([(0, 5), (5, 9)], [0, 0], [(0, 4), (12, 14)], [0, 0])
    assert (scores["tp"], scores["fp"], scores["fn"]) == ([1, 0], [1, 0], [1, 0])
    assert scores["sq"][0] == pytest.approx(4 / 5)
    assert scores["rq"][0] == pytest.approx(1 / 2)
    assert scores["pq"][0] == pytest.approx(2 / 5)
    assert np.isnan([scores[name][1] for name in ("pq", "sq", "rq")]).all()


def test_half_is_not_enough():
    # An IoU of 5/10 is no match, of 6/10 it is.
    scores = scored([(0, 10)], [0], [(0, 5)], [0])
    assert (scores["tp"], scores["fp"], scores["fn"]) == ([0, 0], [1, 0], [1, 0])
    assert scores["pq"][0] == scores["sq"][0] == scores["rq"][0] == 0
    assert scored([(0, 10)], [0], [(0, 6)], [0])["pq"][0] == pytest.approx(0.6)


def test_another_class_is_no_match():
    scores = scored([(0, 10)], [0], [(0, 10)], [1])
    assert (scores["fp"], scores["fn"]) == ([0, 1], [1, 0])


def test_duplicates():
    # The second copy of an object, above or below the first, has at most half of it: an error.
    scores = scored([(0, 10)], [0], [(0, 7), (7, 10)], [0, 0])
    assert (scores["tp"], scores["fp"], scores["fn"]) == ([1, 0], [1, 0], [0, 0])
    assert scores["pq"][0] == pytest.approx(0.7 / 1.5)


def test_crowds():
    # The crowd of class 0 at 10..20 is not missed. Found in it: 10..13 and, by 3 of 5 pixels, 8..13
    # are no errors; by 2 of 4, 8..12 is one; and of class 1 any is.
    truth, classes, crowd = [(0, 5), (10, 20)], [0, 0], [False, True]
    options = {"crowd": crowd}
    for segment, wrong in (((10, 13), 0), ((8, 13), 0), ((8, 12), 1), ((10, 20), 0)):
        scores = scored(truth, classes, [(0, 5), segment], [0, 0], **options)
        assert (scores["tp"], scores["fp"], scores["fn"]) == ([1, 0], [wrong, 0], [0, 0])
    scores = scored(truth, classes, [(0, 5), (10, 13)], [0, 1], **options)
    assert (scores["tp"], scores["fp"], scores["fn"]) == ([1, 0], [0, 1], [0, 0])


def test_void():
    # Void at 4..10. Found 0..8 for the true 0..4: without void the two are the same, IoU 1. By more
    # than half in void, 5..11 is no error; 9..12 is, by 1 of 3.
    void = np.zeros((1, 20), bool)
    void[0, 4:10] = True
    options = {"void": void}
    assert scored([(0, 4)], [0], [(0, 8)], [0], **options)["pq"][0] == 1
    for segment, wrong in (((5, 11), 0), ((9, 12), 1)):
        assert scored([(0, 4)], [0], [(0, 4), segment], [0, 0], **options)["fp"] == [wrong, 0]


def test_photos_add_up():
    quality = PanopticQuality(1)
    quality.update(line((0, 10)), [0], line((0, 6)), [0])
    quality.update(line((0, 10)), [0], line((0, 10)), [0])
    quality.update(line(), [], line(), [])
    result = quality.result()
    assert result["sq"] == pytest.approx([0.8]) and result["rq"].tolist() == [1]


def test_flattened():
    masks = [np.array(m)[None] for m in ([0, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0])]
    np.testing.assert_array_equal(flattened(masks, (1, 5)), [[1, 0, 0, 2, -1]])
    # Half of the second is to be seen, enough; a quarter of the third is not.
    np.testing.assert_array_equal(flattened(masks, (1, 5), min_visible=0.5), [[1, 0, 0, -1, -1]])
    assert flattened([], (2, 3)).tolist() == [[-1] * 3] * 2


def slow(truth, truth_classes, predicted, predicted_classes, crowd, void, num_classes):
    """The paper's section 4, segment by segment."""
    counts = np.zeros((num_classes, 4))  # IoU, TP, FP, FN
    valid = ~void
    matched_truth, matched_predicted = set(), set()
    for t, true_class in enumerate(truth_classes):
        for n, predicted_class in enumerate(predicted_classes):
            own, segment = (truth == t) & valid, (predicted == n) & valid
            if crowd[t] or true_class != predicted_class or not (own | segment).any():
                continue
            iou = (own & segment).sum() / (own | segment).sum()
            if iou > 0.5:
                matched_truth.add(t)
                matched_predicted.add(n)
                counts[true_class] += iou, 1, 0, 0
    for t, true_class in enumerate(truth_classes):
        if t not in matched_truth and not crowd[t] and ((truth == t) & valid).any():
            counts[true_class, 3] += 1
    for n, predicted_class in enumerate(predicted_classes):
        segment = predicted == n
        if n in matched_predicted or not segment.any():
            continue
        groups = [t for t, c in enumerate(truth_classes) if crowd[t] and c == predicted_class]
        excused = void | np.isin(truth, groups)
        if (segment & excused).sum() <= 0.5 * segment.sum():
            counts[predicted_class, 2] += 1
    return counts


@pytest.mark.parametrize("seed", range(8))
def test_random_photos_are_scored_as_by_the_paper(seed):
    rng = np.random.default_rng(seed)
    quality, counts = PanopticQuality(3), 0
    for _ in range(6):
        truth = rng.integers(-1, 6, (4, 5)).repeat(3, 0).repeat(3, 1)
        predicted = np.roll(truth, rng.integers(0, 2, 2), (0, 1))
        noise = rng.random(truth.shape) < 0.1
        predicted = np.where(noise, rng.integers(-1, 8, truth.shape), predicted)
        void = rng.random(truth.shape) < 0.1
        classes = rng.integers(0, 3, 8)
        predicted_classes = np.where(rng.random(8) < 0.2, rng.integers(0, 3, 8), classes)
        crowd = rng.random(6) < 0.3
        case = (truth, classes[:6], predicted, predicted_classes)
        quality.update(*case, crowd=crowd, void=void)
        counts = counts + slow(*case, crowd, void, 3)
    result = quality.result()
    iou, tp, fp, fn = counts.T
    for name, expected in (("tp", tp), ("fp", fp), ("fn", fn)):
        np.testing.assert_array_equal(result[name], expected)
    np.testing.assert_allclose(result["pq"], iou / (tp + fp / 2 + fn / 2))
    np.testing.assert_allclose(result["sq"] * result["rq"], result["pq"])
    assert 0 < result["pq"].max() < 1

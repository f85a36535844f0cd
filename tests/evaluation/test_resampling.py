"""Intervals and tests of two models, against SciPy and against every draw there is."""

import itertools

import numpy as np
import pytest
from instance_model import InstanceModel, detections, source_of
from test_per_image import labelled, network

import kseg
from kseg.evaluation import resampling
from kseg.evaluation.tally import LabelTally
from kseg.metrics.confusion import parts, scores


def tally_of(matrices):
    """Of confusion matrices, one an image, in another order than the source's."""
    tally = LabelTally(("a", "b", "c"), [], None, "pixels", np.zeros((3, 3), int))
    for position in reversed(range(len(matrices))):
        counts = matrices[position]
        tally.add(position, parts(counts, np), np.trace(counts), counts.sum())
    return tally


def matrices(count, seed=0, right=30):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 9, (count, 3, 3)) + np.eye(3, dtype=int) * rng.integers(0, right, 3)


def test_a_draw_is_scored_by_the_sum_of_its_matrices():
    each = matrices(7)
    weights = np.array([[1] * 7, [0, 3, 0, 0, 1, 2, 0], [0, 0, 0, 0, 0, 0, 1]])
    found = tally_of(each).scores(weights)
    for row, expected in enumerate(scores(np.tensordot(w, each, 1)) for w in weights):
        for name in ("mean_iou", "mean_dice", "pixel_accuracy", "frequency_weighted_iou"):
            assert found[name][row] == pytest.approx(expected[name], rel=1e-12)


def test_intervals_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    each = matrices(40, right=20)

    def mean_iou(index):
        return scores(each[index].sum(0))["mean_iou"]

    expected = stats.bootstrap(
        (np.arange(40),),
        mean_iou,
        n_resamples=1500,
        method="percentile",
        vectorized=False,
        confidence_level=0.9,
        rng=np.random.default_rng(1),
    ).confidence_interval
    low, high = resampling.intervals(tally_of(each), 1500, 0.9)["mean_iou"]
    width = expected.high - expected.low
    assert [low, high] == pytest.approx([*expected], abs=0.1 * width)
    assert low < mean_iou(np.arange(40)) < high
    assert resampling.intervals(tally_of(each), 1500, 0.9)["mean_iou"] == [low, high]


@pytest.mark.once("torch")
def test_the_ends_of_an_interval_by_hand():
    values = np.array([*range(101), np.nan])
    assert resampling.percentiles(values, 0.9) == pytest.approx([5, 95])
    assert np.isnan(resampling.percentiles(values[-1:], 0.9)).tolist() == [True, True]


def test_the_p_value_is_that_of_every_swap():
    """Of six images there are 64 ways to swap the answers of two models."""
    first, second = matrices(6), matrices(6, seed=3)
    seen = scores(second.sum(0))["mean_iou"] - scores(first.sum(0))["mean_iou"]
    swaps = []
    for signs in itertools.product((False, True), repeat=6):
        chosen = np.array(signs)[:, None, None]
        a, b = np.where(chosen, second, first), np.where(chosen, first, second)
        swaps.append(scores(b.sum(0))["mean_iou"] - scores(a.sum(0))["mean_iou"])
    expected = np.mean(np.abs(swaps) >= abs(seen) - 1e-12)
    found = resampling.paired(tally_of(first), tally_of(second), 4000, 0.95)["mean_iou"]
    assert found["difference"] == pytest.approx(seen, rel=1e-12)
    assert found["p"] == pytest.approx(expected, abs=0.03)
    assert 0.03 < expected < 0.97


def test_a_model_does_not_differ_from_itself():
    tally = tally_of(matrices(5))
    for row in resampling.paired(tally, tally, 50, 0.95).values():
        assert (row["difference"], row["interval"], row["p"]) == (0, [0, 0], 1)


def test_intervals_of_a_scoring():
    model, source = network(), labelled()
    scores = kseg.evaluate(
        model, source, bootstrap=200, boundary=True, group=lambda name: name[5:6]
    )
    assert scores["protocol"]["bootstrap"] == 200 and scores["protocol"]["confidence"] == 0.95
    for name in ("mean_iou", "pixel_accuracy", "mean_boundary_f1"):
        low, high = scores["intervals"][name]
        assert low < high and low <= scores[name] <= high
    for own in scores["groups"].values():  # each of one image, drawn again and again
        assert own["intervals"]["mean_iou"] == [own["mean_iou"]] * 2
    narrow = kseg.evaluate(model, source, bootstrap=200, confidence=0.5)["intervals"]["mean_iou"]
    assert scores["intervals"]["mean_iou"][0] < narrow[0] <= narrow[1]
    assert "95 % of 200 draws" in [table.title for table in scores.tables][1]
    with pytest.raises(ValueError, match="confidence=0.9: expected None without bootstrap"):
        kseg.evaluate(model, source, confidence=0.9)
    with pytest.raises(ValueError, match="bootstrap=0: expected an integer >= 1"):
        kseg.evaluate(model, source, bootstrap=0)


@pytest.mark.once("torch")
def test_two_models_are_compared():
    one, two, source = network(seed=0), network(seed=1), labelled()
    done = []
    found = kseg.compare(one, two, source, resamples=100, progress=done.append)
    assert found["images"] == 5 and done[-1] == 10
    row, each = (
        found["differences"]["mean_iou"],
        [kseg.evaluate(model, source, per_image=True) for model in (one, two)],
    )
    assert [row["first"], row["second"]] == [scores["mean_iou"] for scores in each]
    assert row["difference"] == row["second"] - row["first"] != 0
    assert row["interval"][0] <= row["difference"] <= row["interval"][1] and 0 < row["p"] <= 1
    signs = [b["mean_iou"] > a["mean_iou"] for a, b in zip(*(s["per_image"] for s in each))]
    assert found["better"] == sum(signs) and found["better"] + found["worse"] + found["equal"] == 5
    same = kseg.compare(one, one, source, resamples=1)
    assert [same[name] for name in ("better", "worse", "equal")] == [0, 0, 5]
    back = kseg.compare(two, one, source, resamples=100)["differences"]["mean_iou"]
    assert back["difference"] == -row["difference"] and back["p"] == row["p"]
    assert repr(found).startswith("<Scores: mean IoU ")
    with pytest.raises(ValueError, match="is of task 'semantic'"):
        kseg.compare(one, network(multilabel=True), source)


@pytest.mark.slow
@pytest.mark.once("torch")
def test_two_models_of_objects_are_compared(rng):
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    truth = [detections(rng, (60, 70), 4) for _ in range(5)]
    worse = [{k: v if k == "size" else v[:2] for k, v in each.items()} for each in truth]
    models = [InstanceModel(found) for found in (worse, truth)]
    found = kseg.compare(*models, source_of(truth), resamples=60)
    row = found["differences"]["mask_ap"]
    alone = [kseg.evaluate(model, source_of(truth)) for model in models]
    assert [row["first"], row["second"]] == [scores["mask_ap"] for scores in alone]
    assert row["difference"] > 0.2 and row["interval"][0] > 0 and row["p"] < 0.2
    assert found["better"] == 5
    scores = kseg.evaluate(models[0], source_of(truth), bootstrap=50)
    assert scores["intervals"]["pq"][0] < scores["pq"] < scores["intervals"]["pq"][1]

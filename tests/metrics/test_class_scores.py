"""Precision, recall, frequency-weighted IoU, and the score of one class in place of the mean."""

import keras
import numpy as np
import pytest

from kseg.metrics import (
    BoundaryF1,
    BoundaryIoU,
    FrequencyWeightedIoU,
    MeanDice,
    MeanIoU,
    MeanPrecision,
    MeanRecall,
    PixelAccuracy,
    scores,
)

# Counts [[2, 1, 0, 0], [0, 3, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]: class 2 is never predicted,
# class 3 is nowhere.
Y_TRUE = np.array([[0, 0, 0, 1, 1, 1, 2, 255]])
Y_PRED = np.array([[0, 0, 1, 1, 1, 1, 0, 3]])


def updated(metric_class, *args, **options):
    metric = metric_class(*args, **options)
    metric.update_state(Y_TRUE, Y_PRED)
    return metric


def test_by_hand():
    expected = {
        MeanPrecision: [2 / 3, 3 / 4, np.nan, np.nan],
        MeanRecall: [2 / 3, 1.0, 0.0, np.nan],
        MeanIoU: [2 / 4, 3 / 4, 0.0, np.nan],
        MeanDice: [4 / 6, 6 / 7, 0.0, np.nan],
    }
    for metric_class, values in expected.items():
        metric = updated(metric_class, 4)
        np.testing.assert_allclose(list(metric.per_class().values()), values)
        assert float(metric.result()) == pytest.approx(np.nanmean(values), rel=1e-6)
    assert updated(MeanPrecision, 4).name == "mean_precision"
    assert updated(MeanRecall, 4).name == "mean_recall"


def test_frequency_weighted_iou_by_hand():
    # 3 pixels of IoU 1/2, 3 of 3/4, 1 of 0.
    metric = updated(FrequencyWeightedIoU, 4)
    assert float(metric.result()) == pytest.approx((3 / 2 + 9 / 4) / 7, rel=1e-6)
    expected = scores(metric.confusion())["frequency_weighted_iou"]
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    assert float(FrequencyWeightedIoU(4).result()) == 0.0


def test_binary():
    # Counts [[1, 1], [1, 2]]: precision and recall of the foreground 2/3; IoU 1/3 and 2/4.
    y_true = np.array([[0, 0, 1, 1, 1, 255]])
    logits = (np.array([[0, 1, 0, 1, 1, 1]]) * 2.0 - 1)[..., None]
    for metric_class, expected in {
        MeanPrecision: 2 / 3,
        MeanRecall: 2 / 3,
        FrequencyWeightedIoU: (2 / 3 + 3 / 2) / 5,  # background included
    }.items():
        metric = metric_class(1)
        metric.update_state(y_true, logits)
        assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    metric = MeanIoU(1, classes=0)
    metric.update_state(y_true, logits)
    assert float(metric.result()) == pytest.approx(1 / 3, rel=1e-6)


NAMES = ["sky", "road", "car", "bus"]


@pytest.mark.parametrize("classes, ids", [("road", [1]), (1, [1]), (["sky", 2], [0, 2])])
def test_classes_chooses_what_the_result_is_made_of(classes, ids):
    for metric_class in (MeanIoU, MeanDice, MeanRecall):
        metric = updated(metric_class, 4, class_names=NAMES, classes=classes)
        per_class = list(metric.per_class().values())
        assert len(per_class) == 4
        expected = np.mean([per_class[c] for c in ids])
        assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_classes_of_scores_by_pixel():
    # Of the 4 pixels of classes 0 and 2, 2 are right; their IoU are 2/4 (3 pixels) and 0 (1 pixel).
    accuracy = updated(PixelAccuracy, 4, classes=[0, 2])
    assert float(accuracy.result()) == pytest.approx(2 / 4)
    weighted = updated(FrequencyWeightedIoU, 4, classes=[0, 2])
    assert float(weighted.result()) == pytest.approx((3 / 2) / 4)


def test_an_absent_class_alone_is_zero_in_the_result_and_nan_by_name():
    metric = updated(MeanIoU, 4, class_names=NAMES, classes="bus")
    assert float(metric.result()) == 0.0 and np.isnan(metric.per_class()["bus"])


def test_names_do_not_collide():
    assert MeanIoU(4, class_names=NAMES, classes="car").name == "iou_car"
    assert MeanIoU(4, class_names=NAMES, classes=["car", "bus"]).name == "mean_iou_car_bus"
    assert MeanIoU(4, classes=2).name == "iou_2"
    assert MeanIoU(4, classes=2, name="mine").name == "mine"
    assert MeanRecall(4, classes=2).name == "recall_2"
    assert BoundaryIoU(4, classes=2).name == "boundary_iou_2"
    assert BoundaryF1(4, classes=2).name == "boundary_f1_2"


@pytest.mark.parametrize("classes", ["tram", 4, -1, 1.0, True, [], ["car", 2], 0, [None]])
def test_classes_that_are_not_there(classes):
    with pytest.raises(ValueError, match="classes"):
        MeanIoU(4, class_names=NAMES, classes=classes, ignore_class=(0, 255))


def test_one_class_in_the_history():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(3, 1)])
    names = ["sky", "road", "car"]
    metrics = [
        MeanIoU(3, class_names=names),
        *(MeanIoU(3, class_names=names, classes=name) for name in names),
        MeanPrecision(3, class_names=names, classes="car"),
    ]
    model.compile("sgd", "mse", metrics=metrics)
    x = np.random.default_rng(0).normal(size=(4, 4, 4, 3)).astype("float32")
    y = np.eye(3, dtype="float32")[x.argmax(-1)]
    history = model.fit(x, y, batch_size=2, verbose=0).history
    by_class = [history[f"iou_{name}"][0] for name in names]
    assert history["mean_iou"][0] == pytest.approx(np.mean(by_class), rel=1e-6)
    assert 0 <= history["precision_car"][0] <= 1

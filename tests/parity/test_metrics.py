"""Every metric against other implementations: numbers stored by make_metrics.py.

240 random cases with void, absent classes, one channel, a batch of one, half-precision
predictions. One file of expected numbers for three backends: they agree with each other as well.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
from metrics.compiled import jitted_update
from parity.metric_cases import COUNT, SETUPS, case, predicted_ids

from kseg import metrics

EXPECTED = np.load(Path(__file__).with_name("metrics.npz"))
MEANS = {
    "iou": metrics.MeanIoU,
    "dice": metrics.MeanDice,
    "precision": metrics.MeanPrecision,
    "recall": metrics.MeanRecall,
}
pytestmark = [
    pytest.mark.parametrize("setup", range(len(SETUPS))),
    pytest.mark.parametrize("part", ["a third", pytest.param("the rest", marks=pytest.mark.slow)]),
]


def indices(setup, part):
    """Those of a setup in the first third of the cases, or in the rest."""
    third = range(setup, COUNT, len(SETUPS))[: COUNT // 3 // len(SETUPS)]
    return third if part == "a third" else range(third.stop, COUNT, len(SETUPS))


def cases(setup, part):
    """(index, y_true, y_pred in the setup's dtype, predicted ids, contour distance)."""
    for index in indices(setup, part):
        y_true, y_pred, distance = case(index)
        tensor = keras.ops.cast(y_pred, SETUPS[setup][1])  # exact: the cases are rounded to it
        yield index, y_true, tensor, predicted_ids(y_pred), distance


def channels_of(setup):
    """Channels, and classes."""
    channels = SETUPS[setup][0][-1]
    return channels, max(channels, 2)


def expected_result(per_class, channels):
    """The foreground's score, or the mean of those that are defined; 0 where there is none."""
    chosen = per_class[1:2] if channels == 1 else per_class
    defined = chosen[~np.isnan(chosen)]
    return defined.mean() if defined.size else 0.0


def test_the_cases_are_those_of_the_references(setup, part):
    for index in indices(setup, part):
        y_true, y_pred, _ = case(index)
        total = y_pred.astype("float64").sum() + y_true.sum()
        assert total == pytest.approx(EXPECTED["input"][index], rel=1e-12)


@pytest.mark.few("1-", "2-", "3-")
def test_overlaps(setup, part):
    """scikit-learn, and segmentation-models-pytorch, which agrees with it."""
    channels, classes = channels_of(setup)
    counted = metrics.MeanIoU(channels)
    update = jitted_update(counted)
    for index, y_true, y_pred, _, _ in cases(setup, part):
        counted.reset_state()
        update(y_true, y_pred)
        expected = EXPECTED["confusion"][index][:classes, :classes]
        np.testing.assert_array_equal(counted.confusion(), expected)
        for name, metric_class in MEANS.items():
            metric = metric_class(channels)
            metric.merge_state([counted])
            expected = EXPECTED[name][index][:classes]
            per_class = list(metric.per_class().values())
            np.testing.assert_allclose(per_class, expected, rtol=1e-7, err_msg=f"{name} {index}")
            mean = expected_result(expected, channels)
            assert float(metric.result()) == pytest.approx(mean, rel=1e-5)
        for metric_class in (metrics.PixelAccuracy, metrics.FrequencyWeightedIoU):
            metric = metric_class(channels)
            metric.merge_state([counted])
            assert float(metric.result()) == pytest.approx(EXPECTED[metric.name][index], rel=1e-5)


def test_overlaps_of_each_image(setup, part):
    """MONAI's DiceMetric and MeanIoU, which score the classes of an image's truth."""
    _, classes = channels_of(setup)
    for index, y_true, _, ids, _ in cases(setup, part):
        for image, (truth, predicted) in enumerate(zip(y_true, ids)):
            result = metrics.scores(metrics.confusion_matrix(truth, predicted, classes))
            there = result["pixels"] > 0
            for name in ("dice", "iou"):
                expected = EXPECTED[f"{name}_image"][index][image][:classes]
                np.testing.assert_array_equal(~np.isnan(expected), there)
                np.testing.assert_allclose(result[name][there], expected[there], rtol=1e-6)


def test_surface_distances(setup, part):
    """MONAI's Hausdorff and average surface distances; SciPy's transforms where there is void."""
    pytest.importorskip("scipy", reason="surface distances need SciPy")
    _, classes = channels_of(setup)
    height, width = SETUPS[setup][0][1:3]
    for index, y_true, _, ids, _ in cases(setup, part):
        for image, (truth, predicted) in enumerate(zip(y_true, ids)):
            result = metrics.surface_distances(truth, predicted, classes)
            for name in ("hd95", "asd"):
                expected = EXPECTED[name][index][image][:classes]
                np.testing.assert_array_equal(result["missed"], np.isinf(expected))
                expected = np.where(np.isinf(expected), np.hypot(height, width), expected)
                np.testing.assert_allclose(result[name], expected, rtol=1e-6, err_msg=f"{index}")


@pytest.mark.few("0-", "3-")
def test_boundary_iou(setup, part):
    """Cheng et al. 2021 by OpenCV, mask by mask."""
    channels, classes = channels_of(setup)
    for index, y_true, y_pred, ids, distance in cases(setup, part):
        counts = EXPECTED["boundary_iou"][index][:, :classes]
        metric = metrics.BoundaryIoU(channels, distance)
        metric.update_arrays(y_true, ids)
        np.testing.assert_array_equal(metric.counts(), counts, err_msg=f"{index}")
        with np.errstate(invalid="ignore"):
            expected = counts[0] / (counts[1] + counts[2] - counts[0])
        np.testing.assert_allclose(list(metric.per_class().values()), expected, rtol=1e-5)
        mean = expected_result(expected, channels)
        assert float(metric.result()) == pytest.approx(mean, rel=1e-5)
        if index in compiled_cases(setup):
            check_update(metric, counts, y_true, y_pred)


@pytest.mark.few("0-")
def test_boundary_f1(setup, part):
    """Perazzi et al. 2016 (DAVIS) by OpenCV, mask by mask, image by image."""
    channels, classes = channels_of(setup)
    for index, y_true, y_pred, ids, distance in cases(setup, part):
        images = EXPECTED["boundary_f1"][index][: len(y_true), :, :classes]
        whole = metrics.BoundaryF1(channels, distance)
        for truth, predicted, counts in zip(y_true, ids, images):
            metric = metrics.BoundaryF1(channels, distance)
            metric.update_arrays(truth[None], predicted[None])
            np.testing.assert_array_equal(metric.counts(), counts, err_msg=f"{index}")
            whole.merge_state([metric])
            with np.errstate(invalid="ignore", divide="ignore"):
                recall, precision = counts[1] / counts[0], counts[3] / counts[2]
                expected = 2 * precision * recall / (precision + recall)
            expected = np.where(counts[1] + counts[3] == 0, 0.0, expected)
            expected = np.where(counts[0] + counts[2] == 0, np.nan, expected)
            np.testing.assert_allclose(list(metric.per_class().values()), expected, rtol=1e-5)
        if index in compiled_cases(setup):
            check_update(whole, images.sum(0), y_true, y_pred)


def compiled_cases(setup):
    """A few, for each costs seconds: two of a relative distance, one of a distance in pixels."""
    if keras.config.backend() == "torch":  # always eager
        return range(COUNT)
    return {0: (0,), 3: (3 + 3 * len(SETUPS),), 4: (4,)}.get(setup, ())


def check_update(metric, counts, y_true, y_pred):
    """`update_state` compiled counts the same, of labels and predictions as a model has them."""
    metric.reset_state()
    jitted_update(metric)(y_true, y_pred)
    np.testing.assert_array_equal(metric.counts(), counts)


@pytest.mark.few("0-")
def test_calibration(setup, part):
    """Guo et al. 2017 in float64, which agrees with scikit-learn's calibration curve."""
    channels, _ = channels_of(setup)
    metric = metrics.ExpectedCalibrationError(channels)
    update = jitted_update(metric)
    for index, y_true, y_pred, _, _ in cases(setup, part):
        metric.reset_state()
        update(y_true, y_pred)
        expected = EXPECTED["calibration_error"][index]
        assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
        np.testing.assert_array_equal(metric.reliability()["pixels"], EXPECTED["bin_pixels"][index])

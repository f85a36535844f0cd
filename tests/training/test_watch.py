"""The number to watch: what may be asked for, and which of two values is better."""

import pytest

import kseg
from kseg.training import semantic
from kseg.training.watch import Watch

pytestmark = pytest.mark.once("torch")


def check(monitor, known=True, has_val=True):
    settings = kseg.Settings(monitor=monitor)
    watch = Watch(settings, "mean_iou", has_val)
    watch.check(settings, semantic, kseg.data.shapes(count=1, size=(16, 16)), known, has_val)
    return watch


@pytest.mark.parametrize("monitor", [None, "loss", "val_mean_iou", "val_iou.disk"])
def test_columns_of_ksegs_own_training(monitor):
    assert check(monitor).column == (monitor or "val_mean_iou")


@pytest.mark.parametrize("monitor", ["losses", "val_mean_io", "val_iou.sky"])
def test_what_is_no_column(monitor):
    expected = f"monitor='{monitor}': expected a column of the history with val. .* as 'val_iou"
    with pytest.raises(ValueError, match=expected):
        check(monitor)


def test_of_a_users_own_compile_the_validated_columns_are_known():
    assert check("their_own", known=False).column == "their_own"
    with pytest.raises(ValueError, match="monitor='val_their_own'"):
        check("val_their_own", known=False)


def test_without_val_there_is_no_score():
    with pytest.raises(ValueError, match=r"expected a column of the history\. "):
        check("val_mean_iou", has_val=False)
    with pytest.raises(ValueError, match="patience=2: expected None without val"):
        Watch(kseg.Settings(patience=2), "mean_iou", has_val=False)
    assert Watch(kseg.Settings(patience=2, monitor="loss"), "mean_iou", False).patience == 2


@pytest.mark.parametrize(
    ("column", "mode"),
    [
        *(("loss", "min"), ("val_calibration_error", "min"), ("val_mean_hd95", "min")),
        *(("val_mean_iou", "max"), ("pixel_accuracy", "max"), ("val_iou.disk", "max")),
    ],
)
def test_which_is_better(column, mode):
    assert Watch(kseg.Settings(monitor=column), "mean_iou", True).mode == mode
    other = {"min": "max", "max": "min"}[mode]
    assert Watch(kseg.Settings(monitor=column, mode=other), "mean_iou", True).mode == other

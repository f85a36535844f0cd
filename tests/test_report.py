import numpy as np
from PIL import Image

import kseg
from kseg import report

COLORS = ((0, 0, 0), (200, 100, 50))


def test_overlay_by_hand():
    image = np.full((1, 3, 3), 100, np.uint8)
    labels = np.array([[0, 1, 255]])
    # half photo, half colour: 50 for black, 150/100/75 for the class; void shows the photo
    expected = [[[50, 50, 50], [150, 100, 75], [100, 100, 100]]]
    np.testing.assert_array_equal(report.overlay(image, labels, COLORS), expected)


def test_errors_by_hand():
    picture = report.errors(np.array([[0, 1, 255]]), np.array([[0, 0, 0]]))
    assert [tuple(c) for c in picture[0]] == [report.RIGHT, report.WRONG, report.NOT_SCORED]


def test_sheet_and_curve_are_written(tmp_path):
    source = kseg.data.shapes("val", size=(32, 48), count=3)
    model = kseg.build_unet(6, width=2, depth=1)
    report.sheet(model, source, tmp_path / "sheet.png", count=2, width=96)
    with Image.open(tmp_path / "sheet.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape[1] == 4 * (96 + 6) + 6
    assert sheet.shape[0] > 24 + 2 * (64 + 6)
    # the photo of the first row stands where the grid puts it
    photo = Image.fromarray(source[0]["image"]).resize((96, 64))
    np.testing.assert_array_equal(sheet[24 : 24 + 64, 6 : 6 + 96], np.asarray(photo))
    rows = [{"epoch": e, "loss": 1 / e, "mean_iou": 1 - 1 / e} for e in (1, 2, 3)]
    report.curve(rows, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as image:
        curve = np.asarray(image)
    assert curve.shape == (420, 900, 3)
    assert (curve == report.LINES[0]).all(axis=2).sum() > 500  # the lines are drawn

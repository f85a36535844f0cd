import numpy as np
import pytest
from instance_model import InstanceModel, detections, photo, source_of
from PIL import Image

import kseg
from kseg import pictures
from kseg.base.colors import NOT_SCORED
from kseg.pictures.chart import LINES
from kseg.pictures.image import RIGHT, WRONG
from kseg.pictures.instance import predicted
from kseg.reports import write_sheet

COLORS = ((0, 0, 0), (200, 100, 50))


def test_overlay_by_hand():
    image = np.full((1, 3, 3), 100, np.uint8)
    labels = np.array([[0, 1, 255]])
    # half photo, half colour: 50 for black, 150/100/75 for the class; void shows the photo
    expected = [[[50, 50, 50], [150, 100, 75], [100, 100, 100]]]
    np.testing.assert_array_equal(pictures.overlay(image, labels, COLORS), expected)


def test_errors_by_hand():
    picture = pictures.errors(np.array([[0, 1, 255]]), np.array([[0, 0, 0]]))
    assert [tuple(c) for c in picture[0]] == [RIGHT, WRONG, NOT_SCORED]


def test_sheet_and_curve_are_written(tmp_path):
    source = kseg.data.shapes("val", size=(32, 48), count=3)
    model = kseg.build_unet(6, width=2, depth=1)
    write_sheet(model, source, tmp_path / "sheet.png", count=2, width=96)
    with Image.open(tmp_path / "sheet.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape[1] == 4 * (96 + 6) + 6
    assert sheet.shape[0] > 24 + 2 * (64 + 6)
    # the photo of the first row stands where the grid puts it
    photo = Image.fromarray(source[0]["image"]).resize((96, 64))
    np.testing.assert_array_equal(sheet[24 : 24 + 64, 6 : 6 + 96], np.asarray(photo))
    rows = [{"epoch": e, "loss": 1 / e, "mean_iou": 1 - 1 / e} for e in (1, 2, 3)]
    pictures.curve(rows, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as image:
        curve = np.asarray(image)
    assert curve.shape == (420, 900, 3)
    assert (curve == LINES[0]).all(axis=2).sum() > 500  # the lines are drawn


def test_captions_stand_above_their_boxes():
    image = np.zeros((120, 200, 3), np.uint8)
    masks, boxes = np.zeros((1, 120, 200), bool), np.array([[50.4, 60, 90, 100]])
    plain = pictures.objects(image, masks, boxes)
    named = pictures.objects(image, masks, boxes, captions=["dog 0.98"])
    rows, columns = np.nonzero((plain != named).any(axis=2))
    assert rows.max() <= 60 and columns.min() == 50 and len(rows) > 100
    # at the edges they are moved into the photo
    boxes = np.array([[180, 2, 200, 118], [-9, -9, 20, 20]])
    corner = pictures.objects(image, np.zeros((2, 120, 200), bool), boxes, captions=["dog", "cat"])
    assert corner[:12, 180:].any() and corner[:12, :10].any()
    # beside an object that is much smaller there is none
    boxes = np.array([[50, 60, 60, 100]])
    plain = pictures.objects(image, masks, boxes)
    np.testing.assert_array_equal(pictures.objects(image, masks, boxes, captions=["dog"]), plain)
    assert pictures.captions(("a", "b"), [1, 0]) == ["b", "a"]
    assert pictures.captions(("a", "b"), [1, 0], [0.987, 0.5]) == ["b 0.99", "a 0.50"]


@pytest.mark.parametrize("count", [0, 3])
def test_predicted(rng, count):
    found = [detections(rng, (90, 120), count)]
    image = photo(0, (90, 120))
    objects = kseg.predict(InstanceModel(found), image, min_score=0)
    picture = predicted(image, objects, ("a", "b", "c"), COLORS, 255)
    assert picture.shape == image.shape and picture.dtype == np.uint8
    assert picture.any() == (count > 0)


def test_sheet_of_instances(rng, tmp_path):
    found = [detections(rng, (60, 80), count) for count in (2, 0, 3)]
    write_sheet(InstanceModel(found), source_of(found), tmp_path / "s.png", count=3, width=80)
    with Image.open(tmp_path / "s.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape == (24 + 3 * (60 + 6), 3 * (80 + 6) + 6, 3)
    truth, prediction = sheet[24:84, 92:172], sheet[24:84, 178:258]
    assert truth.any() and (truth != prediction).any()  # one has scores
    assert (sheet[90 : 90 + 60, 92:172] == 1).all()  # photo 1, all of 1, without an object

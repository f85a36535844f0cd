import configparser
import os
import subprocess
import sys
from pathlib import Path

import jinja2
import numpy as np
import pytest
from instance_model import InstanceModel, detections, photo, source_of
from PIL import Image

import kseg
from kseg import pictures
from kseg.base.colors import NOT_SCORED, object_colors
from kseg.checks.findings import Finding, Report
from kseg.pictures import grid
from kseg.pictures.chart import LINES
from kseg.pictures.image import RIGHT, WRONG
from kseg.pictures.instance import predicted
from kseg.reports import instance, semantic, write_sheet
from kseg.reports.check import _separately, write_check
from kseg.reports.page import write_page

COLORS = ((0, 0, 0), (200, 100, 50))


def test_overlay_by_hand():
    image = np.full((1, 3, 3), 100, np.uint8)
    labels = np.array([[0, 1, 255]])
    # half photo, half colour: 50 for black, 150/100/75 for the class; void shows the photo
    expected = [[[50, 50, 50], [150, 100, 75], [100, 100, 100]]]
    np.testing.assert_array_equal(pictures.overlay(image, labels, COLORS), expected)


def test_a_legend_by_hand():
    """Two names, a line of 22 pixels each: beside them squares of 17x15 pixels with an outline."""
    colors = ((10, 0, 0), (200, 100, 50))
    picture = np.asarray(grid.legend(["ground", "object"], colors, width=60))
    assert picture.shape == (4 + 2 * 22 + 4, 60, 3)
    for line, color in enumerate(colors):
        rows, columns = np.nonzero((picture == color).all(axis=-1))
        top = 4 + 22 * line
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (top + 3, top + 15, 9, 23)
        assert len(rows) == 13 * 15


def test_errors_by_hand():
    picture = pictures.errors(np.array([[0, 1, 255]]), np.array([[0, 0, 0]]))
    assert [tuple(c) for c in picture[0]] == [RIGHT, WRONG, NOT_SCORED]


def test_sheet_is_written(tmp_path):
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


def drawn(path):
    """Pixels of each of a curve's two colours in its left and its right half, below the legends."""
    with Image.open(path) as image:
        picture = np.asarray(image)[50:]
    return [
        [(half == color).all(axis=2) for color in LINES]
        for half in np.array_split(picture, 2, axis=1)
    ]


@pytest.mark.once("torch")
@pytest.mark.parametrize("score", ["mean_iou", "mask_ap"])
def test_curve(tmp_path, score):
    rows = [{"epoch": e, "loss": 1 / e, score: 1 - 1 / e, f"val_{score}": 0.5} for e in (1, 2, 3)]
    del rows[1][f"val_{score}"]  # an epoch without validation
    pictures.curve(rows, tmp_path / "curve.png", score=score)
    with Image.open(tmp_path / "curve.png") as image:
        assert (image.size, image.mode) == ((900, 420), "RGB")
    (loss, none), (training, validation) = drawn(tmp_path / "curve.png")
    assert not none.any()
    for line, falls in ((loss, True), (training, False)):
        y, x = np.nonzero(line)
        assert len(x) > 500 and x.max() - x.min() > 300
        assert (y[x < x.min() + 5].mean() < y[x > x.max() - 5].mean()) == falls
    y, x = np.nonzero(validation)
    assert x.max() - x.min() > 300 and abs(y - y.mean()).max() < 6  # level, without a gap
    pictures.curve(rows, tmp_path / "again.png", score=score)
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "curve.png").read_bytes()


def test_curve_of_little(tmp_path):
    pictures.curve([], tmp_path / "none.png")
    assert not np.any(drawn(tmp_path / "none.png"))
    pictures.curve(
        [{"epoch": 1.0, "loss": -2.0, "mean_iou": 0.8}], tmp_path / "one.png", (600, 300)
    )
    (loss, _), (score, _) = drawn(tmp_path / "one.png")
    assert loss.any() and score.any()  # a dot each
    with Image.open(tmp_path / "one.png") as image:
        assert image.size == (600, 300)


@pytest.mark.once("torch")
def test_charts_are_drawn_without_a_window_and_whatever_the_users_style(tmp_path):
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\nsvg.fonttype: path\n")
    code = f"""
import hashlib, sys, kseg
import kseg.pictures.chart as chart
assert "matplotlib" not in sys.modules
chart.curve([{{"epoch": 1, "loss": 1.0}}], {str(tmp_path / "own.png")!r})
assert "matplotlib.pyplot" not in sys.modules
import matplotlib
assert matplotlib.rcParams["axes.facecolor"] == "red"
"""
    environment = {**os.environ, "MPLCONFIGDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    pictures.curve([{"epoch": 1, "loss": 1.0}], tmp_path / "default.png")
    assert (tmp_path / "own.png").read_bytes() == (tmp_path / "default.png").read_bytes()


@pytest.mark.parametrize(("highest", "white"), [(1, False), (2, True)])
def test_a_mask_of_another_size_is_shown_by_itself(write_image, tmp_path, highest, white):
    """In colours where all values are classes, else as grey as its values."""
    write_image("i/a.png", np.full((4, 4, 3), 9, "uint8"))
    write_image("m/a.png", np.array([[0, highest]], "uint8"))
    source = kseg.data.folder(tmp_path / "i", tmp_path / "m", ["a", "b"])
    _, mask = _separately(source, 0)
    expected = [[0, 0, 0], [255] * 3] if white else source.colors
    np.testing.assert_array_equal(mask, [expected])


def test_page_escapes_and_wants_all_that_it_shows(tmp_path):
    report = Report((Finding("<i>", "error", "&", '"a" > 1', "x"),), ())
    write_check(report, [], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "&lt;i&gt; in &amp;</h3>" in text and "&#34;a&#34; &gt; 1" in text
    with pytest.raises(jinja2.UndefinedError, match="undefined"):
        write_page(tmp_path / "other.html", "check.html", title="x")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_what_is_no_code_is_shipped():
    """A wheel holds modules by itself, and what setup.cfg names."""
    project = Path(kseg.__file__).parents[1]
    config = configparser.ConfigParser()
    config.read(project / "setup.cfg")
    shipped = set()
    for package, patterns in config["options.package_data"].items():
        for pattern in patterns.split():
            shipped |= {*project.joinpath(*package.split(".")).glob(pattern)}
    files = (path for path in (project / "kseg").rglob("*.*") if path.is_file())
    assert shipped == {path for path in files if path.suffix not in (".py", ".pyc")}


def test_captions_and_legends_of_both_tasks():
    labels, scenes = (kseg.data.shapes("val", count=1, instances=each) for each in (False, True))
    label = np.array([[0, 0, 1, 255]])
    (line,) = semantic.caption(labels, {"label": label})
    names, colors = labels.class_names, labels.colors
    assert line == (f"{names[0]} 50.0%, {names[1]} 25.0%, void 25.0%", ())
    assert semantic.class_ids({"label": label}) == {0, 1, 255}
    # an id that is no class stands in the caption, but has no colour
    assert semantic.legend(labels, {255, 1, 9}) == [(names[1], (colors[1],)), ("void", (None,))]
    assert semantic.caption(labels, {"label": label[:, :1] + 9})[0].text == "unknown id 9 100.0%"

    sample = {"classes": np.array([1, 0, 0, 1]), "crowd": np.array([False, False, False, True])}
    named = scenes.class_names
    lines = instance.caption(scenes, sample)
    assert [line.text for line in lines] == [
        f"{named[0]}: 2",
        f"{named[1]}: 1",
        f"{named[1]} (crowd): 1",
    ]
    assert [len(line.colors) for line in lines] == [2, 1, 1] and lines[2].colors == (NOT_SCORED,)
    assert instance.class_ids(sample) == {0, 1}
    none = {"classes": np.zeros(0, int), "crowd": np.zeros(0, bool)}
    assert instance.caption(scenes, none) == [("no object", ())]


def test_small_objects_lie_on_top_and_crowds_below_all():
    masks = np.zeros((3, 8, 8), bool)
    masks[0, 2:4, 2:4] = masks[1, 1:7, 1:7] = masks[2, 3:5, 3:5] = True
    image, nowhere = np.zeros((8, 8, 3), np.uint8), np.zeros((3, 4))
    crowd = np.array([False, False, True])
    colors = object_colors(crowd)
    picture = pictures.objects(image, masks, nowhere, crowd=crowd, opacity=1.0)
    assert [tuple(picture[place]) for place in ((2, 2), (1, 1), (4, 4), (0, 0))] == [
        *(colors[0], colors[1]),
        *(colors[1], (0, 0, 0)),  # the crowd is the smaller of the two
    ]


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
    assert corner[0, :10].any() and not corner[:2, 180:].any() and corner[2, 180:].any()
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

"""What people see of a thing: one line where it is printed, a card in a notebook.

On one backend: text. Names are hostile, for they come from files of anybody's.
"""

import base64
import copy
import dataclasses
import html.parser
import io
import json
import pickle
import re

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.pictures.image import data_uri
from kseg.prediction.predictor import KerasPredictor, Predictor
from kseg.prediction.results import Instances

pytestmark = pytest.mark.once("torch")
HOSTILE = "<script>alert('a')</script>"
ESCAPED = "&lt;script&gt;alert(&#39;a&#39;)&lt;/script&gt;"


@pytest.fixture(scope="module")
def source():
    shapes = kseg.data.shapes("val", size=(48, 64), count=9)
    names = (HOSTILE, *shapes.class_names[1:])
    ids = (HOSTILE, *shapes.ids[1:])
    return dataclasses.replace(shapes, name=f"set/{HOSTILE}", class_names=names, ids=ids)


@pytest.fixture(scope="module")
def scores(source):
    return kseg.evaluate(kseg.build_unet(6, width=2, depth=1), source)


@pytest.fixture(scope="module")
def things(source, scores, tmp_path_factory):
    """Name -> thing, its line, and whether its card holds a hostile name."""
    masks = np.zeros((2, 30, 40), bool)
    masks[0, 5:15, 5:25] = masks[1, 12:28, 20:36] = True
    boxes = np.array([[5, 5, 25, 15], [20, 12, 36, 28]], np.float32)
    found = Instances(boxes, np.array([3, 1]), np.array([0.987, 0.5], np.float32), masks)
    none = Instances(boxes[:0], np.zeros(0, int), np.zeros(0), masks[:0])
    predictor = Predictor(HOSTILE, "semantic", [HOSTILE], [(1, 2, 3)], 3)
    loss = kseg.FocalLoss(gamma=1.0, class_weight=[1.0, 2.0], name=HOSTILE)
    value = scores["mean_iou"]
    size, none_found = "9 semantic samples of 6 classes", "0 kinds of errors and 0 of warnings"
    terms = "0.5 * FocalLoss + 1 * DiceLoss"
    return {
        "source": (source, f'<Source: "set/{HOSTILE}", {size}>', True),
        "report": (kseg.check(source), f"<Report: {none_found} in 9 samples>", False),
        "scores": (scores, f"<Scores: mean IoU {value:.3f} of set/{HOSTILE}>", True),
        "instances": (found, "<Instances: 2 objects, scores 0.99 to 0.50, class ids 1, 3>", False),
        "no instances": (none, "<Instances: no object>", False),
        "loss": (loss, f'<FocalLoss: name="{HOSTILE}", gamma=1.0, class_weight=[1.0, 2.0]>', True),
        "loss by default": (kseg.DiceLoss(), "<DiceLoss>", False),
        "sum": (0.5 * loss + kseg.DiceLoss(), f"<WeightedSum: {terms}>", True),
        "predictor": (predictor, f'<Predictor: "{HOSTILE}", semantic, 1 class>', True),
    }


NAMES = (
    *("source", "report", "scores", "instances", "no instances", "loss", "loss by default"),
    *("sum", "predictor"),
)


class Balanced(html.parser.HTMLParser):
    """Reads HTML of which every element is closed in its place."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_one_line(things, name):
    thing, expected, _ = things[name]
    assert repr(thing) == expected and len(expected) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_escaped_whole_and_small(things, name):
    thing, _, hostile = things[name]
    text = thing._repr_html_()
    assert (ESCAPED in text) == hostile
    tags = [tag for tag, _ in Balanced(text).seen]
    assert set(tags) <= set("div b table tr th td span figure figcaption img".split())
    assert len(text) < 60_000 and "http" not in text


def test_long_options_are_cut():
    shown = repr(kseg.DiceLoss(class_weight=[0.123456] * 150))
    assert len(shown) == 100 and shown.startswith("<DiceLoss: class_weight=[0.123456, ")


def pictures(text):
    """The pictures of a card as arrays."""
    found = []
    for tag, attributes in Balanced(text).seen:
        if tag == "img":
            kind, content = attributes["src"].split(",")
            assert kind == "data:image/jpeg;base64"
            found.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))))
    return found


def test_a_source_shows_its_classes_and_four_samples(source):
    text = source._repr_html_()
    swatches = re.findall(r"background: rgb\((.*?)\)", text)
    assert swatches == [", ".join(map(str, color)) for color in source.colors]
    shown = pictures(text)
    assert [picture.shape for picture in shown] == [(48, 64, 3)] * 4
    for picture, index in zip(shown, (0, 3, 5, 8)):
        sample = source[index]
        drawn = kseg.pictures.overlay(sample["image"], sample["label"], source.colors)
        assert data_uri(drawn, 200) in text
        assert np.abs(picture.astype(int) - sample["image"]).mean() > 20  # not the bare photo


def test_objects_are_shown_with_their_boxes():
    source = kseg.data.shapes("val", size=(48, 64), count=1, instances=True)
    text, sample = source._repr_html_(), source[0]
    assert repr(source) == "<Source: 'shapes/val', 1 instance sample of 5 classes>"
    names = kseg.pictures.captions(source.class_names, sample["classes"])
    drawn = kseg.pictures.objects(sample["image"], sample["masks"], sample["boxes"], captions=names)
    assert data_uri(drawn, 200) in text and len(pictures(text)) == 1


def test_what_cannot_be_read_is_named(pair_folders):
    root = pair_folders(count=2)
    source = kseg.data.folder(root / "images", root / "masks", ["ground", "object"])
    (root / "images" / "p1.png").write_bytes(b"no picture")
    text = source._repr_html_()
    assert len(pictures(text)) == 1 and "p1 cannot be read: see kseg.check" in text


def test_findings_are_a_table(pair_folders):
    root = pair_folders(count=3)
    source = kseg.data.folder(root / "images", root / "masks", ["ground", HOSTILE])
    (root / "images" / "p1.png").write_bytes(b"")
    report = kseg.check(source)
    assert repr(report) == "<Report: 1 kind of errors and 0 of warnings in 2 samples>"
    text = report._repr_html_()
    assert '<td style="text-align: left">empty_file</td>' in text
    assert report.errors[0].remedy in text


def test_scores_are_a_dict(scores, source):
    plain = dict(scores)
    assert type(plain) is dict and scores == plain and plain == scores
    assert json.loads(json.dumps(scores))["images"] == 9
    for again in (copy.copy(scores), copy.deepcopy(scores), pickle.loads(pickle.dumps(scores))):
        assert again.keys() == scores.keys() and repr(again) == repr(scores)
    text = scores._repr_html_()
    for name in source.class_names[1:]:
        assert f">{name}</td>" in text
    assert f">{scores['mean_iou']:.3f}</td>" in text
    assert f"pixel accuracy {scores['pixel_accuracy']:.3f}" in text


def test_a_loaded_model(tmp_path, source):
    model = kseg.build_unet(6, width=2, depth=1)
    model.save(tmp_path / "m.keras")
    loaded = kseg.load(tmp_path / "m.keras")
    assert isinstance(loaded, KerasPredictor)
    shown = repr(loaded)
    assert shown.startswith("<KerasPredictor: '") and len(shown) <= 100
    assert loaded._repr_html_().count("<tr>") == 7


def test_objects_of_other_kinds_of_masks():
    found = Instances(
        np.array([[0, 0, 900, 600]], np.float32),
        np.array([0]),
        np.array([0.9], np.float32),
        np.full((1, 600, 900), 0.8, np.float32),
    )
    (picture,) = pictures(found._repr_html_())
    assert picture.shape == (267, 400, 3)
    runs = dataclasses.replace(found, masks=[{"size": [600, 900], "counts": "0d3"}])
    assert pictures(runs._repr_html_()) == [] and "0.900" in runs._repr_html_()


def test_a_long_path_leaves_room_for_what_it_is():
    predictor = Predictor("/far" * 40 + "/street.onnx", "semantic", ["a"], [(1, 2, 3)], 3)
    end = "/far/far/far/far/far/far/far/street.onnx"
    assert repr(predictor) == f"<Predictor: '...{end}', semantic, 1 class>"
    assert "/far" * 40 in predictor._repr_html_()

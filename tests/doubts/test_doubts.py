"""Labels that a model contradicts: slips made on purpose come first."""

import csv
import dataclasses
import json

import keras
import numpy as np
import pytest
from instance_model import InstanceModel

import kseg
from kseg.data.source import Source
from kseg.doubts import instance, multilabel
from kseg.doubts.contrast import Contrast
from kseg.doubts.doubts import Doubt, Doubts
from kseg.doubts.regions import Confusions, compactness, regions, weight, whole_regions
from kseg.doubts.semantic import contradicted


def oracle(classes=3, sure=6.0):
    """A model that reads the class of a pixel off its red: 0, 100, 200."""
    image = keras.Input((None, None, 3))
    red = image[..., :1]
    centers = keras.ops.reshape(keras.ops.arange(classes, dtype="float32") * 100.0, (1, 1, 1, -1))
    logits = -keras.ops.abs(red - centers) * (sure / 100)
    return keras.Model(image, logits)


def source_of(images, labels, names=("sky", "road", "car"), **options):
    """Photos and labels `(H, W)` as a `Source`."""
    import tensorflow as tf

    return Source(
        name="street",
        columns={"image": np.stack(images), "label": np.stack(labels)},
        decode=lambda row: {"image": row["image"], "label": tf.cast(row["label"], tf.int32)},
        class_names=names,
        colors=((0, 0, 0), (0, 0, 200), (200, 0, 0))[: len(names)],
        ids=tuple(f"p{i}" for i in range(len(images))),
        **options,
    )


def scene(road=20, car=(24, 32, 8, 24)):
    """Photo and label of 40x48 pixels: sky over road, and a car."""
    label = np.zeros((40, 48), np.uint8)
    label[road:] = 1
    y1, y2, x1, x2 = car
    label[y1:y2, x1:x2] = 2
    image = np.zeros((40, 48, 3), np.uint8)
    image[..., 0] = label * 100
    return image, label


@pytest.fixture
def spoiled():
    """Three scenes; in the second a car is labelled as sky, in the third a corner is void."""
    images, labels = zip(*(scene(20 + i) for i in range(3)))
    labels = [label.copy() for label in labels]
    labels[1][24:32, 8:24] = 0
    labels[2][:5] = 255
    return source_of(images, labels)


def test_the_slip_comes_first_with_its_box_and_what_was_meant(spoiled):
    doubts = kseg.check_labels(oracle(), spoiled)
    assert (doubts.found, doubts.samples, len(doubts)) == (1, 3, 1)
    (row,) = doubts.rows
    assert (row.given, row.expected, row.sample, row.index) == ("sky", "car", "p1", 1)
    assert (row.box, row.pixels, row.kind) == ((8, 24, 24, 32), 8 * 16, "region")
    # softmax of 0, -6, -12: sure to .9975; 128 pixels of which 44 lie at the edge; so in one of
    # three photos
    margin = (1 - np.exp(-12)) / (1 + np.exp(-6) + np.exp(-12))
    expected = margin * 128 / (128 + 44) * 0.03 / (0.03 + 1 / 3)
    assert row.score == pytest.approx(expected, rel=1e-4)
    assert doubts.pairs == {("sky", "car"): 128}
    assert kseg.check_labels(oracle(), spoiled.subset([0, 2])).found == 0


def test_what_is_confused_everywhere_comes_after_what_is_seen_once():
    images, labels = zip(*(scene() for _ in range(20)))
    labels = [label.copy() for label in labels]
    for label in labels:
        label[30:38, 30:46] = 0  # road that is always labelled as sky: a custom
    labels[7][2:10, 2:18] = 2  # and one car in the sky
    doubts = kseg.check_labels(oracle(), source_of(images, labels))
    assert [(each.sample, each.given) for each in doubts.rows[:2]] == [("p7", "car"), ("p0", "sky")]
    assert (
        doubts.found == 21
        and len(kseg.check_labels(oracle(), source_of(images, labels), most=5)) == 5
    )


def test_two_sources_of_one_name_are_told_apart(spoiled):
    seen = []
    doubts = kseg.check_labels(
        oracle(), spoiled, spoiled, limit=2, progress=lambda *each: seen.append(each)
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)] and doubts.found == 0  # the first and the last
    doubts = kseg.check_labels(oracle(), spoiled, spoiled)
    assert [each.source for each in doubts.rows] == ["street", "street (2)"]


def test_regions_are_connected_pixels_of_one_contradiction():
    keys = np.full((20, 20), -1)
    keys[2:8, 2:8], keys[2:8, 10:16], keys[10:11, :] = 4, 5, 4
    keys[15, 15] = 4  # a speck
    margin = np.where(keys == 5, 0.5, 1.0)
    found = {(key, box): (n, round(score, 3)) for key, box, n, score in regions(keys, margin)}
    assert found == {
        (4, (2, 2, 8, 8)): (36, round(36 / 56, 3)),
        (4, (0, 10, 20, 11)): (20, 0.5),  # a sliver counts half
        (5, (10, 2, 16, 8)): (36, round(0.5 * 36 / 56, 3)),
    }
    assert compactness(np.ones((200, 200), bool)) > 0.97
    # a speck counts less: 36 pixels of the 100 from which on a region of 40,000 pixels counts whole
    assert weight(np.ones((6, 6), bool), 40_000) == pytest.approx(36 / 56 * 0.6)


def test_what_is_in_every_photo_is_no_slip():
    confusions = Confusions()
    for number in range(100):
        confusions.add(["often", "often", *(["once"] if number == 7 else [])])
    assert confusions.rarity("once") == pytest.approx(0.75)
    assert confusions.rarity("often") == pytest.approx(0.03 / 1.03)
    assert confusions.rarity("never") == 1.0


def test_a_region_that_is_expected_to_be_two_classes_comes_once():
    label = np.zeros((20, 20), int)
    label[5:15, 5:15] = 2
    probabilities = np.full((20, 20, 3), 0.05)
    probabilities[..., 0] = 0.9
    probabilities[12:15, 5:15] = (0.1, 0.8, 0.1)
    keys, margin = contradicted(label, probabilities, 255)
    ((key, box, pixels, score),) = whole_regions(label, probabilities, keys)
    assert (divmod(key, 3), box, pixels) == ((2, 0), (5, 5, 15, 15), 100)
    # mean of 70 pixels at 0.9 - 0.05 and 30 at 0.1 - 0.1; 36 of 100 pixels lie at the edge
    assert score == pytest.approx(0.7 * 0.85 * 100 / 136)
    assert list(regions(keys, margin)) == []


def test_void_is_not_contradicted():
    label = np.array([[0, 255, 1]])
    probabilities = np.array([[[0.2, 0.8], [0.1, 0.9], [0.4, 0.6]]])
    keys, margin = contradicted(label, probabilities, 255)
    assert keys.tolist() == [[1, -1, -1]]
    np.testing.assert_allclose(margin, [[0.6, 0, 0]])


def test_of_several_classes_each_is_asked_by_itself():
    label = np.zeros((1, 12, 12, 2), np.uint8)[0]
    label[:, :6, 0] = 1
    label[8:, :, 1] = 255
    probabilities = np.full((12, 12, 2), 0.02)
    probabilities[:, 6:, 0] = 0.9
    source = type("Source", (), {"class_names": ("cat", "dog"), "void": 255})
    looking = multilabel.Looking(source)
    rows = {
        looking.words(key): box
        for _, key, box, _, _ in looking.look({"label": label}, probabilities)
    }
    assert rows == {("cat", "no cat"): (0, 0, 6, 12), ("no cat", "cat"): (6, 0, 12, 12)}
    assert looking.pairs() == {("cat", "no cat"): 72, ("no cat", "cat"): 72}


def square(y, x, side=8, size=(40, 40)):
    mask = np.zeros(size, np.uint8)
    mask[y : y + side, x : x + side] = 1
    return mask


class Found:
    """What a detector says: masks, classes, scores."""

    def __init__(self, masks, scores, classes=None):
        self.masks, self.scores = masks, np.array(scores, float)
        self.classes = np.array(classes if classes is not None else [0] * len(masks))

    def each_mask(self):
        return self.masks


def looked(masks, found, classes=None, crowd=None, image=None):
    """Kind, words, box and score of what is contradicted."""
    masks = np.stack(masks) if masks else np.zeros((0, 40, 40), np.uint8)
    sample = {
        "image": np.zeros((40, 40, 3), np.uint8) if image is None else image,
        "masks": masks,
        "classes": np.array(classes if classes is not None else [0] * len(masks)),
        "crowd": np.array(crowd if crowd is not None else [False] * len(masks)),
        "boxes": np.array([instance.box_of(mask) for mask in masks]).reshape(-1, 4),
    }
    looking = instance.Looking(type("Source", (), {"class_names": ("cell", "speck")}))
    return [
        (kind, *looking.words(key), box, round(score, 2))
        for kind, key, box, _, score in looking.look(sample, found)
    ]


def test_objects_are_doubted_for_what_is_wrong_with_them():
    """On a blank photo, which says nothing of what is there: that halves what needs its word."""
    pytest.importorskip("pycocotools")
    here, there = square(2, 2), square(20, 20)
    assert looked([here], Found([here], [0.9])) == []
    assert looked([here], Found([here, there], [0.9, 0.8])) == [
        ("not labelled", "nothing", "cell", (20, 20, 28, 28), 0.4)
    ]
    assert looked([here], Found([there], [0.3])) == [
        ("nothing there", "cell", "nothing", (2, 2, 10, 10), 0.5)
    ]
    assert looked([here], Found([], [])) == [
        ("nothing there", "cell", "nothing", (2, 2, 10, 10), 0.5)
    ]
    assert looked([here], Found([here], [0.9], [1])) == [
        ("class", "cell", "speck", (2, 2, 10, 10), 0.9)
    ]
    # moved by five pixels: 24 of 64 shared, IoU 24 / 104
    assert looked([here], Found([square(2, 7)], [0.9])) == [
        ("outline", "cell", "cell", (2, 2, 10, 10), round(0.4 * 0.9 * (1 - 24 / 104), 2))
    ]
    both = square(2, 2) | square(2, 14)
    assert looked([both], Found([square(2, 2), square(2, 14)], [0.9, 0.7])) == [
        ("several in one", "cell", "cell", (2, 2, 22, 10), 0.28)
    ]
    # one that was found twice is one
    assert looked([here], Found([here, square(3, 3, 7)], [0.9, 0.7])) == []
    # a crowd is no label of one object, and what is found in it none that was forgotten
    assert looked([square(0, 0, 30)], Found([square(4, 4)], [0.9]), crowd=[True]) == []


def test_a_photo_that_the_model_does_not_know_says_little():
    pytest.importorskip("pycocotools")
    truth = [square(0, 0), square(10, 10), square(20, 20), square(30, 30)]
    ((*_, alone),) = looked(truth, Found(truth[:3], [0.9] * 3))
    assert alone == 0.5  # on a blank photo
    rows = looked(truth, Found(truth[:1], [0.9]))
    # three doubts of 1.0: of each, two others among four objects
    assert [row[-1] for row in rows] == [round(0.5 * 0.3 / (0.3 + 2 / 4), 2)] * 3
    ((*_, speck),) = looked(truth[:3], Found([*truth[:3], square(30, 2, 4)], [0.9] * 4))
    assert speck == pytest.approx(0.5 * 0.9 * 16 / 64, abs=0.006)  # rounded


def test_the_photo_says_whether_something_is_there():
    """Four cells of 100 on a ground of 20; where the fifth is, the photo is as bright as said."""
    pytest.importorskip("pycocotools")
    cells = [square(2, 2), square(2, 28), square(28, 2), square(28, 28)]
    fifth = square(16, 16)

    def doubted(bright, labelled):
        image = np.full((40, 40, 3), 20, np.uint8)
        for mask in cells:
            image[mask > 0] = 100
        image[fifth > 0] = bright
        truth, found = (cells, [*cells, fifth]) if not labelled else ([*cells, fifth], cells)
        rows = looked(truth, Found(found, [0.9] * len(found)), image=image)
        assert [row[0] for row in rows] == ["nothing there" if labelled else "not labelled"]
        return rows[0][-1]

    # found beside what is labelled: of their contrast, of a quarter of it, of none
    assert [doubted(bright, False) for bright in (100, 40, 20)] == [0.9, 0.45, 0.0]
    # labelled and not found: the other way about
    assert [doubted(bright, True) for bright in (100, 40, 20)] == [0.0, 0.75, 1.0]


def test_contrast_by_hand():
    image = np.zeros((40, 40, 3), np.float32)
    one, beside = square(10, 10), square(10, 20)
    image[one > 0], image[beside > 0] = (30, 40, 0), (200, 0, 0)
    contrast = Contrast(image, np.stack([one, beside]))
    assert contrast.each.tolist() == [50.0, 200.0]  # the neighbour is not what is around
    assert np.isnan(contrast.beside(one, 0))  # too few others say what is usual
    three = Contrast(image, np.stack([one] * 3 + [beside]))
    assert three.beside(beside, 3) == 4.0 and three.beside(one, None) == 1.0
    assert np.isnan(three.of(np.zeros((40, 40)))) and np.isnan(three.of(np.ones((40, 40))))
    # what is around lies on all sides alike, as far on each
    ramps = np.moveaxis(np.mgrid[:40, :40], 0, -1)
    assert Contrast(ramps, one[None]).each.tolist() == [0.0]


DOUBT = Doubt(0.5, "region", "a b.jpg", "s", 0, "a b", "sky", "car, red", (1, 2, 3, 4), 7)


def test_lists_are_written_as_json_and_csv(tmp_path):
    doubts = Doubts((DOUBT,), 3, 9, {("sky", "car, red"): 7})
    doubts.write(tmp_path / "new" / "list.json")
    written = json.loads((tmp_path / "new" / "list.json").read_text())
    assert written["doubts"] == [
        {
            "score": 0.5,
            "kind": "region",
            "file": "a b.jpg",
            "source": "s",
            "sample": "a b",
            "given": "sky",
            "expected": "car, red",
            "box": [1, 2, 3, 4],
            "pixels": 7,
        }
    ]
    assert written["pixels"] == [{"given": "sky", "expected": "car, red", "pixels": 7}]
    doubts.write(tmp_path / "list.CSV")
    with (tmp_path / "list.CSV").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["expected"] == "car, red" and [row[x] for x in ("x1", "y1", "x2", "y2")] == [*"1234"]
    with pytest.raises(ValueError, match=r"path='list.txt': expected a file that ends in .json"):
        doubts.write("list.txt")
    assert repr(doubts) == "<Doubts: 3 doubtful places in 9 samples>"
    assert "car, red" in doubts._repr_html_()


def test_wrong_arguments_are_refused(spoiled):
    with pytest.raises(ValueError, match=r"sources=\(\): expected a Source"):
        kseg.check_labels(oracle())
    with pytest.raises(ValueError, match="most=0"):
        kseg.check_labels(oracle(), spoiled, most=0)
    with pytest.raises(TypeError, match="sources="):
        kseg.check_labels(oracle(), "camvid")
    two = dataclasses.replace(spoiled, class_names=("a", "b"), colors=((0, 0, 0),) * 2)
    with pytest.raises(ValueError, match="3 classes"):
        kseg.check_labels(oracle(), two)


def test_detectors_are_asked_too(rng):
    pytest.importorskip("pycocotools")
    from instance_model import detections
    from instance_model import source_of as truth_of

    found = [detections(rng, (60, 80), 2) for _ in range(2)]
    doubts = kseg.check_labels(InstanceModel(found), truth_of(found))
    assert doubts.samples == 2 and doubts.found == len(doubts.rows)

"""Cityscapes: label ids, train ids and instance ids, and none under the name of another."""

import dataclasses
import sys

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.base.colors import voc_colors
from kseg.data.readers.cityscapes import CLASSES, LABEL_IDS, THING_IDS
from kseg.data.writers.layouts import write_cityscapes

NAME = "{}_00000{}_000000"
SIZE = (20, 36)  # of these little streets, with room for every label id


@pytest.fixture
def make(tmp_path, write_image):
    """Writes photo number `n` of a city with these masks, by kind; returns the root."""

    def make(city, n, split="train", **masks):
        name = NAME.format(city, n)
        photo = f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png"
        write_image(photo, np.full((*SIZE, 3), 90, np.uint8))
        for kind, mask in masks.items():
            write_image(f"gtFine/{split}/{city}/{name}_gtFine_{kind}.png", mask)
        return tmp_path

    return make


def label_ids():
    """Every label id 0..33 in a column of its own, then two of the license plates' 255."""
    return np.tile(np.array([*range(34), 255, 255], np.uint8), (SIZE[0], 1))


def train_ids():
    """The same street, by the table of cityscapesScripts' labels.py."""
    of_label = {
        7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11,
        25: 12, 26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18,
    }  # fmt: skip
    row = [of_label.get(label, 255) for label in label_ids()[0]]
    return np.tile(np.array(row, np.uint8), (SIZE[0], 1))


def test_classes_are_the_official_ones():
    assert len(CLASSES) == 19 and list(CLASSES)[13] == "car" and CLASSES["car"] == (26, (0, 0, 142))
    assert LABEL_IDS[:3] == (7, 8, 11) and THING_IDS == (24, 25, 26, 27, 28, 31, 32, 33)


def test_both_kinds_of_masks_give_the_same(make, same_eagerly):
    root = make("aachen", 1, labelIds=label_ids())
    make("bochum", 2, labelIds=label_ids())
    make("aachen", 1, "val", labelIds=label_ids(), labelTrainIds=train_ids())
    train, val = (kseg.data.cityscapes(root, split) for split in ("train", "val"))
    assert train.ids == ("aachen_000001_000000", "bochum_000002_000000")
    assert train.num_classes == 19 and train.category_ids == LABEL_IDS and train.void == 255
    for source in (train, val):
        for sample in same_eagerly(source):
            assert sample["label"].dtype == np.uint8
            np.testing.assert_array_equal(sample["label"], train_ids())


def test_label_ids_where_only_some_have_train_ids(make):
    root = make("aachen", 1, labelIds=label_ids(), labelTrainIds=train_ids())
    make("bochum", 2, labelIds=label_ids())
    np.testing.assert_array_equal(kseg.data.cityscapes(root)[1]["label"], train_ids())
    make("dusseldorf", 3, labelTrainIds=train_ids())  # and no labelIds: neither kind is complete
    with pytest.raises(FileNotFoundError, match="1 of 3 .*bochum_000002.*_gtFine_labelTrainIds"):
        kseg.data.cityscapes(root)


def test_instances(make, same_eagerly):
    mask = np.full(SIZE, 7, np.uint16)  # a road
    mask[2:5, 3:9] = 26_000  # two cars
    mask[6:9, 3:9] = 26_001
    mask[2:9, 20:30] = 24  # a group of persons
    mask[12:14, 2:5] = 24_000  # a person
    mask[12:14, 10:15] = 29_000  # a caravan, which nobody counts
    mask[16:18] = 65_535  # license plates
    (sample,) = same_eagerly(kseg.data.cityscapes(make("a", 1, instanceIds=mask), instances=True))
    keys = [24, 24_000, 26_000, 26_001]
    np.testing.assert_array_equal(sample["masks"], [mask == key for key in keys])
    assert sample["classes"].tolist() == [0, 0, 2, 2]
    assert sample["crowd"].tolist() == [True, False, False, False]
    assert sample["boxes"][1].tolist() == [2, 12, 5, 14]


def test_no_instance(make):
    root = make("a", 1, instanceIds=np.full(SIZE, 7, np.uint16))
    source = kseg.data.cityscapes(root, instances=True)
    assert source[0]["masks"].shape == (0, *SIZE) and source.category_ids == THING_IDS
    assert source.class_names[-1] == "bicycle" and source.colors[2] == (0, 0, 142)


def test_names_and_colours_are_those_of_the_scripts(make):
    """`labels.py` of cityscapesScripts: the 19 classes in the order of their train ids."""
    source = kseg.data.cityscapes(make("a", 1, labelTrainIds=train_ids()))
    colors = """128 64 128  244 35 232  70 70 70  102 102 156  190 153 153  153 153 153  250 170 30
        220 220 0  107 142 35  152 251 152  70 130 180  220 20 60  255 0 0  0 0 142  0 0 70
        0 60 100  0 80 100  0 0 230  119 11 32"""
    assert np.ravel(source.colors).tolist() == [int(number) for number in colors.split()]
    names = """road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation,
        terrain, sky, person, rider, car, truck, bus, train, motorcycle, bicycle"""
    assert list(source.class_names) == [name.strip() for name in names.split(",")]


def test_label_ids_under_the_name_of_train_ids(make):
    root = make("a", 1, labelTrainIds=label_ids())
    expected = r"a_000001_000000_gtFine_labelTrainIds.png' holds 33.*Label ids, as it seems"
    with pytest.raises(ValueError, match=expected):
        kseg.data.cityscapes(root)


def test_train_ids_under_the_name_of_label_ids(make):
    root = make("a", 1, labelIds=train_ids())
    with pytest.raises(ValueError, match="labelIds.png'.*Train ids, as it seems"):
        kseg.data.cityscapes(root)


def test_a_single_wrong_mask_is_named(make, monkeypatch):
    monkeypatch.setattr(sys.modules["kseg.data.readers.cityscapes"], "PROBED", 1)  # the first
    root = make("a", 1, labelTrainIds=train_ids())
    make("a", 2, labelTrainIds=label_ids())
    with pytest.raises(Exception, match=r"a_000002_000000_gtFine_labelTrainIds.png.*0\.\.18"):
        kseg.data.cityscapes(root)[1]
    make("a", 1, "val", labelIds=label_ids())
    make("a", 2, "val", labelIds=label_ids() + np.uint8(1))
    with pytest.raises(Exception, match="a_000002_000000_gtFine_labelIds.png.*value 34"):
        kseg.data.cityscapes(root, "val")[1]
    make("a", 1, "test", instanceIds=np.full(SIZE, 40_001, np.uint16))
    with pytest.raises(Exception, match="_instanceIds.png.*instance id 40001"):
        kseg.data.cityscapes(root, "test", instances=True)[0]


def test_mistakes(make, tmp_path):
    with pytest.raises(FileNotFoundError, match="root=.*leftImg8bit"):
        kseg.data.cityscapes(tmp_path)
    root = make("a", 1)
    with pytest.raises(FileNotFoundError, match="1 of 1 .*_gtFine_labelIds.png.*gtFine"):
        kseg.data.cityscapes(root)
    make("a", 1, labelIds=label_ids())
    with pytest.raises(FileNotFoundError, match="_gtFine_instanceIds.png"):
        kseg.data.cityscapes(root, instances=True)
    with pytest.raises(FileNotFoundError, match="split='vall'.*train"):
        kseg.data.cityscapes(root, "vall")
    (root / "leftImg8bit" / "val").mkdir()
    with pytest.raises(FileNotFoundError, match="val.*holds no"):
        kseg.data.cityscapes(root, "val")


def test_classes_of_its_own(make):
    root = make("a", 1, labelIds=label_ids())
    (root / "classes.json").write_text('{"car": 26, "road": 7, "plate": 255}')
    source = kseg.data.cityscapes(root)
    assert source.class_names == ("car", "road")
    np.testing.assert_array_equal(
        source[0]["label"][0],
        np.where(label_ids()[0] == 26, 0, np.where(label_ids()[0] == 7, 1, 255)),
    )
    (root / "classes.json").write_text('{"plate": 255}')
    with pytest.raises(
        ValueError, match="classes.json' has no class of the label ids 7, 8, .*instances=True"
    ):
        kseg.data.cityscapes(root)


def test_round_trip(tmp_path, same_eagerly):
    scenes, things = (
        kseg.data.shapes("val", count=3, size=(32, 48), instances=i) for i in (False, True)
    )
    write_cityscapes(scenes, tmp_path, "val", things)
    source = kseg.data.cityscapes(tmp_path, "val")
    assert source.ids[2] == "kseg_000002_000000"
    for sample, scene in zip(same_eagerly(source), kseg.data.samples(scenes)):
        for key, value in scene.items():
            np.testing.assert_array_equal(sample[key], value)
    source = kseg.data.cityscapes(tmp_path, "val", instances=True)
    for sample, scene in zip(same_eagerly(source), kseg.data.samples(things)):
        order = np.argsort(1000 * scene["classes"] + np.arange(len(scene["classes"])))  # by key
        for key in ("masks", "classes", "boxes", "crowd"):
            np.testing.assert_array_equal(sample[key], scene[key][order])
    # as others read it
    path = next(tmp_path.rglob("*_instanceIds.png"))
    with Image.open(path) as image:
        assert set(np.array(image).ravel() // 1000) <= {0, *THING_IDS}


def test_round_trip_of_void(make, tmp_path):
    source = kseg.data.cityscapes(make("a", 1, labelTrainIds=train_ids()))
    write_cityscapes(source, tmp_path / "copy", "train", city="b")
    copy = kseg.data.cityscapes(tmp_path / "copy")
    np.testing.assert_array_equal(copy[0]["label"], train_ids())


def test_writer_refuses_what_does_not_fit(tmp_path):
    things = kseg.data.shapes("val", count=1, instances=True)
    with pytest.raises(ValueError, match="source.task='instance': expected 'semantic'"):
        write_cityscapes(things, tmp_path, "val")
    scenes = dataclasses.replace(
        kseg.data.shapes("val", count=1),
        class_names=tuple("abcdefghijklmnopqrst"),
        colors=voc_colors(20),
    )
    with pytest.raises(ValueError, match="source.num_classes=20: expected at most 19"):
        write_cityscapes(scenes, tmp_path, "val")

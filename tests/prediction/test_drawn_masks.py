"""Masks of many objects: drawn when they are asked for, one by one where that will do."""

import copy
import pickle
import tracemalloc
import weakref

import numpy as np
import pytest
from instance_model import InstanceModel, detections, photo

import kseg
from kseg.evaluation.instance import _photos
from kseg.ops.paste import paste_masks
from kseg.pictures import instance as pictures
from kseg.prediction import instance as prediction
from kseg.prediction.masks import Pasted, Runs
from kseg.prediction.results import Instances

SIZE, NAMES = (120, 160), ("cat", "dog", "bird")
pytestmark = pytest.mark.once("torch")  # NumPy


@pytest.fixture
def found(rng):
    return detections(rng, SIZE, 9)


@pytest.fixture
def objects(found):
    return kseg.predict(InstanceModel([found]), photo(0, SIZE), min_score=0.0)


def is_drawn(objects):
    return "masks" in vars(objects)


def test_they_are_drawn_at_the_first_asking_and_kept(found, objects):
    expected = paste_masks(found["masks"], found["boxes"], *SIZE, threshold=0.5)
    assert expected.any((1, 2)).all() and not is_drawn(objects)
    np.testing.assert_array_equal(objects.masks, expected)
    assert objects.masks is objects.masks and type(objects.masks) is np.ndarray
    np.testing.assert_array_equal(np.array(list(objects.each_mask())), expected)
    with pytest.raises(AttributeError, match="'Instances' has no attribute 'mask'"):
        objects.mask  # noqa: B018


def test_each_of_them_is_that_of_the_array(found):
    boxes, size = np.concatenate([found["boxes"], [[-90, -90, -40, -50]]]), SIZE
    small = np.concatenate([found["masks"], found["masks"][:1]])
    for threshold in (0.5, 0.9, None):
        masks = Pasted(small, boxes, size, threshold)
        expected = paste_masks(small, boxes, *size, threshold=threshold)
        assert masks.dtype == expected.dtype == masks.array().dtype
        np.testing.assert_array_equal(masks.array(), expected)
        np.testing.assert_array_equal(np.array(list(masks)), expected)
        for index in (0, 3, -1):
            rows, columns, part = masks.part(index)
            np.testing.assert_array_equal(masks[index], expected[index])
            np.testing.assert_array_equal(part, expected[index][rows, columns])
            assert part.sum() == expected[index].sum()
    assert masks.part(-1)[2].size == 0  # beyond the photo
    with pytest.raises(IndexError):
        masks[10]
    nothing = Pasted(small[:0], boxes[:0], size)
    assert list(nothing) == [] and nothing.array().shape == (0, *SIZE)


def test_what_draws_writes_and_shows_them_takes_one_by_one(found, objects, tmp_path):
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    shown = pictures.predicted(image, objects, NAMES, None, None)
    runs = objects.in_runs()
    prediction.write(objects, tmp_path / "a.json", NAMES, None)
    card = objects._repr_html_()
    assert not is_drawn(objects) and "data:image/jpeg" in card
    whole = Instances(objects.boxes, objects.classes, objects.scores, objects.masks)
    assert whole.each_mask() is whole.masks
    np.testing.assert_array_equal(shown, pictures.predicted(image, whole, NAMES, None, None))
    assert runs.masks == whole.in_runs().masks and card == whole._repr_html_()
    assert isinstance(runs.each_mask(), Runs) and "data:image" not in runs._repr_html_()
    np.testing.assert_array_equal(np.array(list(runs.each_mask())), whole.masks)
    np.testing.assert_array_equal(
        pictures.predicted(image, runs, NAMES, None, None), shown
    )  # runs are decoded one by one too
    assert runs.each_mask().array().dtype == bool


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))]
)
def test_copies_draw_them_too(objects, again):
    other = again(objects)
    assert not is_drawn(other)
    np.testing.assert_array_equal(other.masks, objects.masks)
    np.testing.assert_array_equal(again(objects).masks, objects.masks)


@pytest.mark.slow
def test_three_hundred_objects_take_no_memory_until_they_are_drawn(rng):
    """Of the photo's size they are 4 times 300 * 64 kB; in their boxes a twentieth of one."""
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    size, count = (256, 256), 300
    many = detections(rng, size, count)
    image = photo(0, size)
    whole = count * size[0] * size[1]
    tracemalloc.start()
    try:
        results = kseg.predict(InstanceModel([many]), [image] * 4, min_score=0.0)
        kept, peak = tracemalloc.get_traced_memory()
        assert [len(each) for each in results] == [count] * 4
        assert kept < whole / 4 and peak < whole
        tracemalloc.reset_peak()
        picture = pictures.predicted(image, results[0], NAMES, None, None)
        results[1].in_runs()
        results[2]._repr_html_()
        assert tracemalloc.get_traced_memory()[1] - kept < whole / 2
        assert not any(map(is_drawn, results)) and picture.shape == (*size, 3)
        assert results[3].masks.nbytes == whole and is_drawn(results[3])
    finally:
        tracemalloc.stop()


def test_true_objects_wait_as_runs():
    """Photos wait for others of their size: a batch of them, each with all its masks, once did."""
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    masks = []

    def samples():
        for index in range(5):
            whole = np.zeros((2, 8, 9), np.uint8)
            whole[:, index:] = 1
            masks.append(weakref.ref(whole))
            yield {
                "image": np.zeros((8, 9, 3), np.uint8),
                "masks": whole,
                "classes": np.array([0, 1]),
                "boxes": np.zeros((2, 4)),
                "crowd": np.array([False, True]),
            }
            del whole

    waiting = list(_photos(samples(), range(10, 15), (7, 8)))
    assert [ref() for ref in masks] == [None] * 5
    (index, size, known, classes), image = waiting[3]
    assert index == 3 and size == (8, 9) == image.shape[:2] and classes.tolist() == [0, 1]
    assert [each["area"] for each in known] == [45, 45]
    assert [(each["image_id"], each["category_id"], each["iscrowd"]) for each in known] == [
        (13, 7, 0),
        (13, 8, 1),
    ]

"""`kseg.predict` of an instance model: any photos in, objects in their own pixels out."""

import dataclasses

import keras
import numpy as np
import pytest
from instance_model import InstanceModel, detections, photo
from PIL import Image

import kseg
from kseg.ops.paste import paste_masks
from kseg.ops.resize import resized_size
from kseg.prediction.batching import BUCKET
from kseg.prediction.instance import detect
from kseg.prediction.results import Instances

SIZES = [(40, 56), (130, 90), (40, 56), (200, 210), (57, 33)]


@pytest.fixture
def found(rng):
    return [detections(rng, size, count) for size, count in zip(SIZES, (4, 3, 0, 6, 1))]


def photos():
    return [photo(i, size) for i, size in enumerate(SIZES)]


@pytest.mark.parametrize(
    "size, resize, expected",
    [
        ((375, 500), (800, 1333), (800, 1066)),  # 500 * 800 / 375 = 1066.67, cut off
        ((500, 375), (800, 1333), (1066, 800)),
        ((480, 640), (800, 1333), (800, 1066)),
        ((300, 900), (800, 1333), (444, 1333)),  # the longest side decides: 300 * 1333 / 900
        ((480, 800), (800, 1333), (799, 1333)),  # 800 * 5 / 3 = 1333.3 is just too long
        ((1600, 2000), (800, 1333), (800, 1000)),
        ((7, 10000), (800, 1333), (1, 1333)),  # never without a pixel
        ((33, 44), (33, 44), (33, 44)),
        ((375, 500), None, (375, 500)),
    ],
)
def test_resized_size(size, resize, expected):
    assert resized_size(size, resize) == expected


@pytest.mark.parametrize("resize", [None, (100, 160)])
def test_objects_in_the_photos_own_pixels(found, resize):
    model = InstanceModel(found, resize=resize)
    results = kseg.predict(model, photos(), min_score=0)
    assert len(results) == len(SIZES)
    for result, truth, size in zip(results, found, SIZES):
        assert len(result) == len(truth["scores"])
        np.testing.assert_allclose(result.boxes, truth["boxes"], rtol=1e-5, atol=1e-4)
        np.testing.assert_array_equal(result.classes, truth["classes"])
        np.testing.assert_array_equal(result.scores, truth["scores"])
        masks = paste_masks(truth["masks"], truth["boxes"], *size, threshold=0.5)
        assert result.masks.dtype == bool and result.masks.shape == (len(result), *size)
        assert np.count_nonzero(result.masks != masks) <= 1e-3 * masks.size
    dtypes = (result.boxes.dtype, result.classes.dtype, result.scores.dtype)
    assert dtypes == ("float32", "int32", "float32")


def test_predict_takes_what_users_have(found, write_image):
    model = InstanceModel(found)
    array = photo(3, SIZES[3])
    path = write_image("photo.png", array)
    grey = array[:, :, 0]
    for image in (array, array.astype("float64"), str(path), path, Image.fromarray(array), grey):
        one = kseg.predict(model, image)
        assert isinstance(one, Instances)
        assert (one.scores >= 0.5).all() and one.masks.shape[1:] == SIZES[3]
    assert len(kseg.predict(model, [path])) == 1
    assert kseg.predict(model, []) == []
    with pytest.raises(ValueError, match=r"expected \(height, width, 3\)"):
        kseg.predict(model, np.zeros((4, 4, 2)))
    with pytest.raises(FileNotFoundError, match="gone.jpg"):
        kseg.predict(model, [path, "gone.jpg"])


def test_min_score_and_forms_of_masks(found):
    mask_api = pytest.importorskip("pycocotools.mask", reason="needs the extra coco")
    model, image = InstanceModel(found), photo(3, SIZES[3])
    everything = kseg.predict(model, image, min_score=0.0)
    limit = float(everything.scores[2])
    assert len(kseg.predict(model, image, min_score=limit)) == 3
    probability = kseg.predict(model, image, min_score=0.0, masks="probability").masks
    assert probability.dtype == np.float32 and probability.max() <= 1
    np.testing.assert_array_equal(probability >= 0.5, everything.masks)
    strict = kseg.predict(model, image, min_score=0.0, threshold=0.9)
    np.testing.assert_array_equal(strict.masks, probability >= 0.9)
    runs = kseg.predict(model, image, min_score=0.0, masks="rle").masks
    assert all(type(each["counts"]) is str and each["size"] == [200, 210] for each in runs)
    np.testing.assert_array_equal(mask_api.decode(runs).transpose(2, 0, 1), everything.masks)
    nothing = kseg.predict(model, photo(2, SIZES[2]))
    assert (
        len(nothing) == 0 and nothing.boxes.shape == (0, 4) and nothing.masks.shape == (0, 40, 56)
    )
    assert kseg.predict(model, photo(2, SIZES[2]), masks="rle").masks == []


def test_batches_of_few_shapes(found):
    model = InstanceModel(found)
    pairs = [(i % len(SIZES), photo(i % len(SIZES), SIZES[i % len(SIZES)])) for i in range(17)]
    results = list(detect(model, pairs, batch_size=2))
    assert sorted(key for key, _ in results) == sorted(key for key, _ in pairs)
    for key, result in results:
        assert len(result) == len(found[key]["scores"])
        np.testing.assert_array_equal(result.boxes, found[key]["boxes"])
    filled = {tuple(-(-side // BUCKET) * BUCKET for side in size) for size in SIZES}
    assert {shape[1:3] for shape in model.shapes} == filled
    one_by_one = list(detect(model, pairs))
    assert [key for key, _ in one_by_one] == [key for key, _ in pairs]


def test_incomplete_batches_of_few_sizes(found):
    model = InstanceModel(found)
    results = list(detect(model, [(i, photo(0, SIZES[0])) for i in range(11)], batch_size=8))
    assert len(results) == 11
    last = 4 if keras.backend.backend() == "jax" else 3  # filled up with a black pixel
    assert [shape[0] for shape in model.shapes] == [8, last]


def test_few_photos_wait(found):
    """At most four batches of other sizes are held back, however the sizes come."""
    taken = []

    def stream():
        for i in range(40):
            taken.append(i)
            yield i, photo(i % len(SIZES), SIZES[i % len(SIZES)])

    done = 0
    for _ in detect(InstanceModel(found), stream(), batch_size=3):
        assert len(taken) - done <= 4 * 3 + 1 + 3
        done += 1
    assert done == 40


@pytest.mark.parametrize(
    "option, message",
    [
        ({"min_score": 2}, "min_score=2: expected a number from 0 to 1"),
        ({"threshold": "half"}, "threshold='half'"),
        ({"masks": "polygons"}, "expected one of 'binary', 'probability', 'rle'"),
    ],
)
def test_wrong_options_are_named(found, option, message):
    with pytest.raises(ValueError, match=message):
        kseg.predict(InstanceModel(found), photo(0, SIZES[0]), **option)
    with pytest.raises(ValueError, match="is of instance (and multilabel )?models"):
        image = keras.Input((None, None, 3))
        kseg.predict(keras.Model(image, image[..., :1]), photo(0, SIZES[0]), **option)
    with pytest.raises(ValueError, match="batch_size=0"):
        list(detect(InstanceModel(found), [], batch_size=0))


def test_without_pycocotools(found, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pycocotools", None)
    assert len(kseg.predict(InstanceModel(found), photo(0, SIZES[0]), min_score=0)) == 4
    with pytest.raises(ImportError, match=r"extra coco.*\[coco\]"):
        kseg.predict(InstanceModel(found), photo(0, SIZES[0]), min_score=0, masks="rle")


def test_instances_are_frozen(found):
    one = kseg.predict(InstanceModel(found), photo(0, SIZES[0]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.scores = None

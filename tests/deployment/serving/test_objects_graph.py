"""Masks of objects in a graph: pasted into the photo, and as COCO's runs."""

import numpy as np
import pytest

from kseg.data.coco_format.rle import encode_block, encode_counts, parse
from kseg.deployment.saved_model import instance
from kseg.deployment.saved_model.signatures import GraphOptions
from kseg.ops.paste import paste_mask, pasted
from kseg.ops.resize import resized_size

pytestmark = pytest.mark.backends("tensorflow", reason="a graph without Keras in it")


def test_runs_are_those_of_pycocotools(rng):
    import tensorflow as tf
    from pycocotools import mask as coco

    encode = tf.function(
        encode_block,
        input_signature=[
            tf.TensorSpec((None, None), tf.bool),
            tf.TensorSpec((2,), tf.int32),
            tf.TensorSpec((2,), tf.int32),
        ],
        autograph=False,
    )
    for trial in range(300):
        height, width = rng.integers(1, 60, 2)
        h, w = rng.integers(0, [height + 1, width + 1])
        y, x = rng.integers(0, [height - h + 1, width - w + 1])
        block = rng.random((h, w)) < rng.choice([0.0, 0.02, 0.5, 0.98, 1.0])
        whole = np.zeros((height, width), np.uint8, order="F")
        whole[y : y + h, x : x + w] = block
        text = encode(block, np.int32([y, x]), np.int32([height, width])).numpy()
        assert text == coco.encode(whole)["counts"], (trial, block.shape, whole.shape)


def test_long_runs_have_several_characters():
    # by hand: 0 -> "0"; 31 -> low 31, 0 left, but its sign bit is set: "o" and "0"; 1,000 = 31*32
    # + 8 -> 8 + 32 + 48 = "X", then 31 -> "o", then "0"; the fourth is less its forerunner by two
    text = encode_counts(np.int32([0, 31, 1000, 30])).numpy()
    assert text == b"0" + b"o0" + b"Xo0" + b"O"


def test_encoded_counts_are_parsed_back(rng):
    for length in (1, 2, 3, 4, 50):
        counts = rng.integers(0, 2 ** rng.integers(1, 31, length)).astype("int32")
        text = encode_counts(counts).numpy().decode()
        np.testing.assert_array_equal(parse(text), counts)


@pytest.mark.parametrize("centred", [False, True])
def test_masks_are_pasted_as_predict_pastes_them(rng, centred):
    import tensorflow as tf
    from keras import ops

    height, width = 40, 55
    paste = tf.function(lambda *place: paste_mask(*place, ops, centred=centred), autograph=False)
    boxes = rng.uniform(-20, 70, (200, 2, 2)).astype("float32")
    boxes = np.sort(boxes, axis=1).reshape(200, 4)
    boxes[0], boxes[1] = (3.5, 4.5, 3.5, 4.5), (-9, -9, -5, -5)  # no area; outside
    masks = rng.random((200, 28, 28)).astype("float32")
    by_numpy = pasted(masks, boxes, height, width, centred=centred)
    for mask, box, expected in zip(masks, boxes, by_numpy):
        start, stop, values = paste(*map(tf.constant, (mask, box)), tf.constant([height, width]))
        assert [*map(slice, start.numpy(), stop.numpy())] == [*expected[:2]]
        np.testing.assert_allclose(values, expected[2], atol=1e-6)


def test_photos_get_the_size_that_predict_gives_them(rng):
    import tensorflow as tf
    from keras import ops

    for resize in ((800, 1333), (32, 48), (1, 2), None):
        size_of = tf.function(lambda size, resize=resize: resized_size(size, resize, ops))
        for size in [*rng.integers(1, 2000, (100, 2)), (375, 500), (1, 1999)]:
            expected = resized_size(tuple(map(int, size)), resize)
            assert tuple(size_of(tf.constant(size, tf.int32)).numpy().tolist()) == expected


ENLARGED = {"threshold": 0.5, "centred": False}


def test_small_objects_are_drawn_over_large_ones():
    boxes = np.float32([[2, 2, 6, 6], [0, 0, 12, 10], [0, 0, 0, 0]])
    classes, masks = np.int32([0, 1, -1]), np.ones((3, 28, 28), "float32")
    top, outlines = instance.layers(boxes, classes, masks, np.int32([10, 12]), **ENLARGED)
    # 2..6 grows by 2/28 of its half and is cut to whole pixels, both ends inclusive: 1..6
    assert (top.numpy()[1:7, 1:7] == 0).all() and np.count_nonzero(top == 0) == 36
    assert np.count_nonzero(top == 1) == 10 * 12 - 36
    # lines inside of the boxes: 4x4 has 12 outer pixels, 10x12 has 40
    assert np.count_nonzero(outlines == 0) == 12 and np.count_nonzero(outlines == 1) == 40


@pytest.mark.parametrize(("bucket", "filled"), [(32, (64, 64)), (128, (128, 128))])
def test_photos_are_filled_up_as_on_the_models_backend(bucket, filled):
    """A detector that answers with the size of what it got, and of what is image in it."""
    import types

    import tensorflow as tf

    def detector(x):
        batch, height, width, _ = tf.unstack(tf.shape(x["image"]))
        box = tf.stack([x["size"][0, 1], x["size"][0, 0], width, height])
        return {
            "boxes": tf.cast(box, tf.float32)[None, None],
            "classes": tf.zeros([batch, 1], tf.int32),
            "scores": tf.ones([batch, 1]),
            "masks": tf.ones([batch, 1, 28, 28]),
            "finite": tf.ones([batch], tf.bool),
        }

    model = types.SimpleNamespace(
        task="instance", num_classes=1, channels=3, score="mask_ap", detector=detector, resize=None
    )
    model.settings = types.SimpleNamespace(detections=1)
    options = GraphOptions(("serving_default",), (), 10_000, "jpeg", 512, 128, bucket)
    detect = instance.signatures(model, options)["serving_default"].function
    detections = detect(tf.zeros([1, 40, 55, 3], tf.uint8))
    assert detections["boxes"].numpy()[0, 0].tolist() == [55, 40, *filled[::-1]]

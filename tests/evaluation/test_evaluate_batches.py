"""A `tf.data.Dataset` is scored as the `Source` that it was made of."""

import keras
import numpy as np
import pytest

import kseg


@pytest.fixture(scope="module")
def source():
    return kseg.data.shapes("val").subset(range(5))


@pytest.fixture(scope="module")
def model(source):
    keras.utils.set_random_seed(0)
    return kseg.build_unet(source.num_classes, width=2, depth=1, compile=False)


@pytest.mark.once("torch")
def test_batches_are_scored_as_their_source(model, source):
    expected = kseg.evaluate(model, source, batch_size=2)
    batches = kseg.data.batches(source, batch_size=2)
    for dataset in (
        batches,
        batches.unbatch(),
        batches.map(lambda x, y: (x, y[..., None])),
        batches.map(lambda x, y: (x, one_hot(y, source.num_classes))),
    ):
        scores = kseg.evaluate(model, dataset, batch_size=2)
        assert scores["confusion"] == expected["confusion"] and scores["images"] == 5
    assert list(scores["classes"]) == [str(i) for i in range(source.num_classes)]


def one_hot(labels, classes):
    import tensorflow as tf

    return tf.one_hot(labels, classes)  # void is zero everywhere


@pytest.mark.once("torch")
def test_objects_are_scored_as_their_source():
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    source = kseg.data.shapes("val", instances=True).subset(range(3))
    keras.utils.set_random_seed(0)
    model = kseg.build_mask_rcnn(
        source.num_classes,
        encoder="torchvision:resnet18",
        resize=None,
        fpn_width=8,
        box_width=8,
        mask_width=8,
        compile=False,
    )
    expected = kseg.evaluate(model, source, batch_size=1)
    scores = kseg.evaluate(model, kseg.data.batches(source, batch_size=2), batch_size=1)
    for name in ("images", "objects", "detections", "mask_ap", "box_ap", "pq"):
        assert scores[name] == expected[name] or np.isnan(expected[name])


def test_colour_is_made_grey_for_a_model_of_one_channel(source):
    model = kseg.build_unet(source.num_classes, input_shape=(None, None, 1), width=2, depth=1)
    ids = kseg.predict(model, source[0]["image"])
    confusion = np.array(kseg.evaluate(model, source.subset([0]))["confusion"])
    valid = source[0]["label"] != source.void
    assert (
        confusion.sum(axis=0).tolist()
        == np.bincount(ids[valid], minlength=source.num_classes).tolist()
    )


@pytest.mark.parametrize("wrong", ["camvid:data", None, [1, 2], np.zeros((2, 8, 8, 3))])
def test_what_is_no_source_is_told_what_was_expected(model, wrong):
    with pytest.raises(TypeError, match=r"expected a Source, .* or a tf.data.Dataset"):
        kseg.evaluate(model, wrong)


def test_data_sets_that_cannot_be_scored(model, source):
    batches = kseg.data.batches(source, batch_size=2)
    with pytest.raises(ValueError, match=r"a data set that ends. .*source.take"):
        kseg.evaluate(model, batches.repeat())
    with pytest.raises(ValueError, match=r"source='4 things': expected \(images, labels\), or"):
        kseg.evaluate(model, batches.map(lambda x, y: (x, y, y, y)))
    with pytest.raises(ValueError, match=r"shape of the weights in source=.*Without weights: "):
        kseg.evaluate(model, batches.map(lambda x, y: (x, y, y[:, 0])))
    with pytest.raises(ValueError, match=r"image.max\(\)=0.*Multiply by 255"):
        kseg.evaluate(model, batches.map(lambda x, y: (x / 255, y)))

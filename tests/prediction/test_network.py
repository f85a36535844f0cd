"""A photo through a network: in threads, without what a gradient needs, and never as NaN."""

import gc
import threading
import weakref

import keras
import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.models.graph import run
from kseg.ops.boxes import overlaps
from kseg.prediction.network import forward

SIZE = (24, 32)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return kseg.build_unet(3, width=4, depth=1, compile=False)


@pytest.fixture
def photos(rng):
    return [rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8) for _ in range(4)]


def test_photos_lie_in_memory_as_they_like(model, photos):
    photo = photos[0]
    expected = kseg.predict(model, photo.astype("float32"))
    assert len(np.unique(expected)) > 1
    fixed = photo.copy()
    fixed.setflags(write=False)
    turned = np.ascontiguousarray(photo[::-1])[::-1]
    apart = np.repeat(photo, 2, axis=1)[:, ::2]
    for each in (photo, fixed, turned, apart, np.asfortranarray(photo)):
        before = each.copy()
        np.testing.assert_array_equal(kseg.predict(model, each), expected)
        np.testing.assert_array_equal(each, before)


def test_ids_beyond_a_byte(photos):
    model = kseg.build_unet(300, width=2, depth=1, compile=False)
    head = next(layer for layer in model.layers if getattr(layer, "filters", None) == 300)
    head.set_weights([np.zeros(head.kernel.shape), np.eye(300)[299]])
    assert (kseg.predict(model, photos[0]) == 299).all()


def in_threads(function, items, times=10):
    """What every thread answers, one an item, and what they raised."""
    answers, faults = [[] for _ in items], []

    def go(index):
        try:
            for _ in range(times):
                answers[index].append(function(items[index]))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=go, args=(index,)) for index in range(len(items))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers, faults


def test_threads_share_a_model(photos):
    """From its first call on, which compiles."""
    model = kseg.build_unet(3, width=4, depth=1, compile=False)
    answers, faults = in_threads(lambda photo: kseg.predict(model, photo), photos)
    assert faults == []
    for photo, answer in zip(photos, answers):
        expected = kseg.predict(model, photo)
        assert all(np.array_equal(each, expected) for each in answer) and len(answer) == 10


@pytest.mark.slow
@pytest.mark.once("jax")  # whose buffers are given away; the model of labels is shared on all
def test_threads_share_an_instance_model(photos):
    model = tiny_mask_rcnn()
    expected = [kseg.predict(model, photo, min_score=0) for photo in photos[:2]]
    answers, faults = in_threads(
        lambda photo: kseg.predict(model, photo, min_score=0), photos[:2], times=3
    )
    assert faults == []
    for one, answer in zip(expected, answers):
        for each in answer:
            np.testing.assert_array_equal(each.boxes, one.boxes)
            np.testing.assert_array_equal(each.masks, one.masks)


def tiny_mask_rcnn(**arguments):
    keras.utils.set_random_seed(0)
    arguments = {"resize": None, "min_score": 0.0, "overlap": 0.9, **arguments}
    return kseg.build_mask_rcnn(
        1,
        encoder="torchvision:resnet18",
        fpn_width=8,
        box_width=8,
        mask_width=8,
        compile=False,
        **arguments,
    )


def test_a_model_is_not_kept_by_its_predictions(photos):
    model = kseg.build_unet(2, width=2, depth=1, compile=False)
    kseg.predict(model, photos[0])
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_forward_is_the_plain_call(model, photos):
    images = np.stack(photos)
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    np.testing.assert_allclose(forward(model, images), expected, atol=1e-5)


def test_feature_maps_go_after_their_last_reader(photos):
    """By layers called twice, nested models and several outputs too the numbers stay the same."""
    image = keras.Input((None, None, 3))
    twice = keras.layers.Conv2D(3, 3, padding="same")
    inner = keras.Model(image, [twice(image), keras.layers.ReLU()(twice(twice(image)))])
    outer = keras.Input((None, None, 3))
    first, second = inner(keras.layers.Dropout(0.5)(outer))
    whole = keras.Model(outer, {"sum": first + second, "first": first, "input": outer})
    images = keras.ops.convert_to_tensor(np.stack(photos).astype("float32"))
    actual, expected = run(whole, images), whole(images, training=False)
    assert actual.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (actual[name], values)))


@pytest.mark.backends("torch", reason="compilers forget maps by themselves")
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_map_is_forgotten_inside_nested_models_too(photos, depth):
    maps = []

    class Remember(keras.layers.Layer):
        def call(self, x):
            maps.append((weakref.ref(x), [each() is not None for each, _ in maps]))
            return x + 1.0

    image = x = keras.Input((None, None, 3))
    for _ in range(4):
        x = Remember()(x)
    model = keras.Model(image, x)
    for _ in range(depth):
        model = keras.Model(image, model(image))
    images = keras.ops.convert_to_tensor(np.stack(photos).astype("float32"))
    del maps[:]  # of building
    model(images, training=False)
    assert maps.pop()[1] == [True] * 3  # Keras' own call forgets nothing
    del maps[:]
    run(model, images)
    assert len(maps) == 4 and maps.pop()[1][1:] == [False, False]  # but for the image itself


@pytest.mark.backends("torch", reason="the others keep nothing for a gradient")
def test_pytorch_keeps_nothing_for_a_gradient(photos):
    import torch

    seen = []

    class Spy(keras.layers.Layer):
        def call(self, x):
            seen.append((torch.is_grad_enabled(), x.requires_grad))
            return x

    image = keras.Input((None, None, 3))
    logits = Spy()(keras.layers.Conv2D(2, 1)(image))
    kseg.predict(keras.Model(image, logits), photos[0])
    assert set(seen[-1:]) == {(False, False)}


def broken(model, name):
    weight = next(each for each in reversed(model.weights) if name in each.path)
    weight.assign(np.full(weight.shape, np.nan))
    return model


@pytest.mark.once("torch")
def test_nothing_of_a_photo_waits_for_the_garbage_collection():
    """Keras' trees on PyTorch leave circles behind: 184 bytes a pixel of each tile before."""
    import torch

    model = kseg.build_unet(3, width=2, depth=1, compile=False)
    images = np.zeros((1, 37, 53, 3), np.uint8)
    forward(model, images)
    gc.collect()
    gc.disable()
    try:
        forward(model, images)
        left = [each.shape for each in gc.get_objects() if isinstance(each, torch.Tensor)]
    finally:
        gc.enable()
    assert not [shape for shape in left if tuple(shape[1:3]) == images.shape[1:3]]


def test_nan_is_no_class(photos):
    source = kseg.data.shapes("val").subset([0])
    model = broken(kseg.build_unet(source.num_classes, width=2, depth=1, compile=False), "kernel")
    for ask in (
        lambda: kseg.predict(model, photos[0]),
        lambda: kseg.predict(model, photos[0], resize=(16, 32)),
        lambda: kseg.evaluate(model, source),
    ):
        with pytest.raises(ValueError, match=r"model='unet' has 1 of \d+ weights that are NaN.*"):
            ask()


def test_nan_after_the_first_prediction(photos):
    model = kseg.build_unet(2, width=2, depth=1, compile=False)
    kseg.predict(model, photos[0])
    with pytest.raises(ValueError, match="first is 'head/kernel'. Load a checkpoint"):
        kseg.predict(broken(model, "kernel"), photos[0])


def test_overflow_in_a_network_of_finite_weights(photos):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Rescaling(3e38)(image), name="hot")
    with pytest.raises(ValueError, match="model='hot' has outputs .* Its weights are finite"):
        kseg.predict(model, photos[0])


@pytest.mark.once("torch")
def test_nan_is_no_object(photos):
    model = tiny_mask_rcnn()
    kseg.predict(model, photos[0])
    with pytest.raises(ValueError, match="weights that are NaN or infinite.*rpn_head_bbox_pred"):
        kseg.predict(broken(model, "rpn_head_bbox_pred/kernel"), photos[0])


def test_a_model_of_one_size_takes_photos_of_any(photos):
    model = kseg.build_unet(3, input_shape=(16, 48, 3), width=4, depth=1, compile=False)
    same = np.resize(photos[0], (16, 48, 3))
    logits = keras.ops.convert_to_numpy(model(same[None], training=False))
    np.testing.assert_array_equal(kseg.predict(model, same), logits[0].argmax(axis=-1))
    small = keras.ops.image.resize(photos[0].astype("float32"), (16, 48), antialias=False)
    logits = keras.ops.image.resize(model(small[None], training=False), SIZE, antialias=False)
    expected = keras.ops.convert_to_numpy(logits)[0].argmax(axis=-1)
    assert (kseg.predict(model, photos[0]) != expected).mean() < 0.01
    with pytest.raises(ValueError, match="resize=.*leave resize= out"):
        kseg.predict(model, photos[0], resize=(16, 48))


@pytest.mark.once("torch")
def test_more_objects_than_the_model_was_built_for(photos):
    model = tiny_mask_rcnn(detections=3)
    few, more = (kseg.predict(model, photos[0], min_score=0, detections=n) for n in (None, 8))
    assert len(few) == 3 < len(more) <= 8
    np.testing.assert_array_equal(more.boxes[:3], few.boxes)
    with pytest.raises(ValueError, match="detections=0"):
        kseg.predict(model, photos[0], detections=0)
    apart, close = (
        kseg.predict(model, photos[0], min_score=0, detections=60, overlap=n) for n in (0.05, 0.95)
    )
    assert len(apart) < len(close)
    assert largest_iou(apart) <= 0.05 < largest_iou(close) <= 0.95
    with pytest.raises(ValueError, match="overlap=1: expected a number"):
        kseg.predict(model, photos[0], overlap=1)
    assert model.settings.overlap == 0.9  # as it was built


def largest_iou(found):
    """Of the boxes of two objects of one class."""
    iou = keras.ops.convert_to_numpy(overlaps(found.boxes, found.boxes))
    same = found.classes[:, None] == found.classes
    return (iou * same * (1 - np.eye(len(found)))).max()


def test_a_folder_is_its_photos_by_name(model, photos, tmp_path):
    for name, photo in zip("bac", photos):
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").write_text("no photo")
    results = kseg.predict(model, tmp_path)
    expected = [kseg.predict(model, photos[index]) for index in (1, 0, 2)]
    assert len(results) == 3 and all(map(np.array_equal, results, expected))
    assert all(map(np.array_equal, kseg.predict(model, iter([photos[1]])), expected))

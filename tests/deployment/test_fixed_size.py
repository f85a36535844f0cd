"""Models that are built for images of one size: predicted, scored and exported like any other."""

import keras
import numpy as np
import pytest

import kseg

same_writer = pytest.mark.backends("tensorflow", reason="the same writer")
SIZE = (64, 96)


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((40, 50), (96, 64), SIZE)]


def small_encoder():
    x = image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 64, -2.0)(x)
    for _ in range(5):
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, x)


def mask_rcnn(shape):
    keras.utils.set_random_seed(0)
    return kseg.build_mask_rcnn(
        5,
        input_shape=shape,
        encoder=small_encoder(),
        fpn_width=4,
        box_width=8,
        mask_width=4,
        anchor_sizes=((8,), (16,), (32,), (64,), (128,)),
        predict_proposals=20,
        detections=5,
        min_score=0.0,
        resize=None,
        seed=0,
        compile=False,
    )


@pytest.mark.slow
@same_writer
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((32, 48, 3), id="a size"),
        pytest.param((32, None, 3), id="a height", marks=pytest.mark.slow),
    ],
)
def test_a_model_of_labels_is_exported(tmp_path, photos, shape):
    model = kseg.build_unet(3, input_shape=shape, width=2, depth=1, compile=False)
    exported = kseg.export(model, tmp_path / "models", verbose=False)
    assert exported.comparison.differing == 0 and not any(exported.comparison.offered.values())
    loaded = kseg.load(exported.path)
    for photo in photos:
        expected = kseg.predict(model, photo)
        assert expected.shape == photo.shape[:2]
        np.testing.assert_array_equal(loaded.predict(photo), expected)


@pytest.fixture(scope="module")
def fixed():
    return mask_rcnn((*SIZE, 3))


@pytest.mark.backends("tensorflow", "torch", reason="JAX compiles it for a minute")
@pytest.mark.once("torch")
def test_objects_are_found_as_by_a_model_of_any_size(fixed, photos):
    """A photo is resized to fit; one of the size itself is what it is for any other model."""
    any_size = mask_rcnn((None, None, 3))
    any_size.set_weights(fixed.get_weights())
    for photo in photos:
        found = kseg.predict(fixed, photo, min_score=0.0)
        assert found.masks.shape[1:] == photo.shape[:2] and len(found.boxes) == 5
        limits = np.array(photo.shape[1::-1] * 2)
        assert (found.boxes >= 0).all() and (found.boxes <= limits + 1e-3).all()
    expected = kseg.predict(any_size, photos[-1], min_score=0.0)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-2)
    np.testing.assert_array_equal(found.classes, expected.classes)


@pytest.mark.once("torch")
@pytest.mark.backends("tensorflow", "torch", reason="JAX compiles it for a minute")
def test_objects_are_scored(fixed):
    source = kseg.data.shapes("val", size=(40, 48), count=3, instances=True)
    scores = kseg.evaluate(fixed, source)
    assert scores["images"] == 3 and scores["detections"] == 15 and 0 <= scores["mask_ap"] <= 1


@pytest.mark.slow  # objects are exported, and labels of one size, in faster tests
@same_writer
def test_objects_are_exported(tmp_path, fixed, photos):
    options = kseg.SavedModelOptions(signatures=("serving_default",))
    exported = kseg.export(fixed, tmp_path, options, samples=2, verbose=False)
    assert exported.comparison.differing == 0
    loaded = kseg.load(exported.path)
    for photo in photos:
        found, expected = loaded.predict(photo), kseg.predict(fixed, photo)
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-2)
        np.testing.assert_array_equal(found.classes, expected.classes)

"""Scores by hand, predictions at the photo's own size."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

import kseg


def threshold_model(classes=2):
    """Logits that say class 1 where the red channel is above 100, by hand."""
    image = keras.Input((None, None, 3))
    red = keras.layers.Rescaling(1.0, -100.5)(image)[..., :1]  # never a tie
    if classes == 1:
        return keras.Model(image, red)
    return keras.Model(image, keras.layers.Concatenate()([-red, red]))


@pytest.fixture
def source(pair_folders):
    root = pair_folders()
    return kseg.data.folder(root / "images", root / "masks", ["ground", "object"])


@pytest.mark.parametrize("classes", [1, 2])
def test_a_perfect_model_scores_one(source, classes):
    scores = kseg.evaluate(threshold_model(classes), source, batch_size=4)
    assert scores["mean_iou"] == scores["pixel_accuracy"] == 1.0
    assert scores["images"] == 6 and scores["pixels"] == 6 * 40 * 56
    assert scores["classes"]["object"]["pixels"] == 6 * 16 * 16


def test_scores_by_hand(tmp_path, write_image):
    # truth 0 0 1 1 1 void, prediction 0 1 1 1 0 (anything): confusion [[1, 1], [1, 2]]
    write_image("i/a.png", np.array([[0, 200, 200, 200, 0, 200]], np.uint8))
    write_image("m/a.png", np.array([[0, 0, 1, 1, 1, 255]], np.uint8))
    source = kseg.data.folder(tmp_path / "i", tmp_path / "m", ["a", "b"])
    scores = kseg.evaluate(threshold_model(), source)
    assert scores["confusion"] == [[1, 1], [1, 2]]
    assert scores["classes"]["a"]["iou"] == pytest.approx(1 / 3)
    assert scores["classes"]["b"]["iou"] == pytest.approx(2 / 4)
    assert scores["classes"]["b"]["dice"] == pytest.approx(4 / 6)
    assert scores["classes"]["a"]["accuracy"] == pytest.approx(1 / 2)
    assert scores["mean_iou"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert scores["pixel_accuracy"] == pytest.approx(3 / 5)
    assert scores["pixels"] == 5


def test_mixed_sizes_and_batch_size_do_not_matter(source, write_image, tmp_path):
    write_image("set/images/r.png", np.full((23, 31, 3), 200, np.uint8))
    write_image("set/masks/r.png", np.zeros((23, 31), np.uint8))
    root = tmp_path / "set"
    mixed = kseg.data.folder(root / "images", root / "masks", ["ground", "object"])
    results = [
        kseg.evaluate(threshold_model(), mixed, batch_size=n)["confusion"] for n in (1, 3, 8)
    ]
    assert results[0] == results[1] == results[2]
    assert np.sum(results[0]) == 6 * 40 * 56 + 23 * 31


def test_evaluate_agrees_with_the_metric_in_keras(source):
    model = kseg.build_unet(2, width=2, depth=1)
    logs = model.evaluate(kseg.data.batches(source, batch_size=3), verbose=0, return_dict=True)
    scores = kseg.evaluate(model, source)
    assert logs["mean_iou"] == pytest.approx(scores["mean_iou"], abs=1e-6)


def test_other_classes_are_refused(source):
    with pytest.raises(ValueError, match="num_classes=2"):
        kseg.evaluate(kseg.build_unet(5, width=2, depth=1), source)


def test_a_file_that_breaks_is_named(source, tmp_path):
    (tmp_path / "set" / "images" / "p4.png").write_bytes(b"gone")
    with pytest.raises(ValueError, match="p4.png"):
        kseg.evaluate(threshold_model(), source)


def test_predict_takes_what_users_have(write_image, rng):
    array = rng.integers(0, 256, (21, 34, 3), dtype=np.uint8)
    path = write_image("photo.png", array)
    model = threshold_model()
    expected = (array[:, :, 0] > 100).astype(np.int32)
    for image in (array, array.astype("float32"), str(path), path, Image.fromarray(array)):
        mask = kseg.predict(model, image)
        assert mask.dtype == np.int32
        np.testing.assert_array_equal(mask, expected)
    several = kseg.predict(model, [array, array[:5, :7]])
    assert [mask.shape for mask in several] == [(21, 34), (5, 7)]
    grey = kseg.predict(model, array[:, :, 0])
    np.testing.assert_array_equal(grey, expected)


def test_predict_names_a_wrong_shape():
    for shape in ((4, 4, 2), (1, 4, 4, 3), (0, 4, 3)):
        with pytest.raises(ValueError, match="expected \\(height, width, 3\\)"):
            kseg.predict(threshold_model(), np.zeros(shape))


def test_prediction_follows_training(source):
    """The labelling of a model is not frozen when it is first used."""
    model = kseg.build_unet(2, width=2, depth=1)
    image = source[0]["image"]
    kseg.predict(model, image)
    model.layers[-2].bias.assign([0.0, 1e6])
    assert (kseg.predict(model, image) == 1).all()
    model.layers[-2].bias.assign([1e6, 0.0])
    assert (kseg.predict(model, image) == 0).all()


def test_void_of_the_source_is_left_out(source):
    all_void = dataclasses.replace(
        source,
        decode=lambda row: {
            **(sample := source.decode(row)),
            "label": sample["label"] * 0 + 255,
        },
    )
    assert kseg.evaluate(threshold_model(), all_void)["pixels"] == 0

"""Scores by hand, predictions at the photo's own size."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.evaluation.semantic import same_sized


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


def test_a_photo_alone_is_not_copied():
    sample = {"image": np.zeros((4, 6, 3), np.uint8), "label": np.zeros((4, 6), np.uint8)}
    ((positions, images, labels),) = same_sized([sample], 8)
    assert (positions, images.shape, labels.shape) == ((0,), (1, 4, 6, 3), (1, 4, 6))
    assert np.shares_memory(images, sample["image"]) and np.shares_memory(labels, sample["label"])


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


TODAY = {
    "protocol",
    "images",
    "pixels",
    "mean_iou",
    "mean_dice",
    "mean_accuracy",
    "pixel_accuracy",
    "frequency_weighted_iou",
    "classes",
    "confusion",
}


@pytest.mark.once("torch")
def test_extra_numbers_only_where_asked_for(source):
    plain = kseg.evaluate(threshold_model(), source)
    assert set(plain) == TODAY
    assert set(plain["classes"]["object"]) == {"iou", "dice", "accuracy", "precision", "pixels"}
    extras = {
        "boundary": {"mean_boundary_iou", "mean_boundary_f1"},
        "calibration": {"calibration_error", "calibration"},
    }
    for name, keys in extras.items():
        scores = kseg.evaluate(threshold_model(), source, **{name: True})
        assert set(scores) == TODAY | keys
        same = TODAY - {"classes", "protocol"}
        assert {key: scores[key] for key in same} == {key: plain[key] for key in same}


@pytest.mark.parametrize("classes", [1, 2])
def test_a_perfect_model_in_every_number(source, classes):
    pytest.importorskip("scipy", reason="surface distances need SciPy")
    scores = kseg.evaluate(
        threshold_model(classes), source, boundary=True, surface=True, calibration=True
    )
    assert scores["mean_boundary_iou"] == scores["mean_boundary_f1"] == 1.0
    assert scores["mean_hd95"] == scores["mean_asd"] == 0.0
    row = scores["classes"]["object"]
    assert (row["boundary_iou"], row["boundary_f1"], row["hd95"], row["asd"]) == (1, 1, 0, 0)
    assert (row["surface_images"], row["surface_missed"]) == (6, 0)
    assert scores["calibration_error"] == pytest.approx(0.0, abs=1e-6)  # sure, and right
    assert scores["calibration"]["pixels"] == [0] * 14 + [6 * 40 * 56]


def test_extra_numbers_by_hand(tmp_path, write_image):
    # A row of 7 pixels and void, class 1 from column 3; predicted from column 4. There and in
    # column 3 the logits are 3 apart, a confidence of sigmoid(3); elsewhere about 200, of 1.
    red = np.array([[0, 0, 0, 99, 102, 200, 200, 200]], np.uint8)
    write_image("i/a.png", red)
    write_image("m/a.png", np.array([[0, 0, 0, 1, 1, 1, 1, 255]], np.uint8))
    source = kseg.data.folder(tmp_path / "i", tmp_path / "m", ["a", "b"])
    options = {"boundary": True, "calibration": True}
    scores = kseg.evaluate(threshold_model(), source, **options)
    # The image is one pixel high, so all its pixels are bands: Boundary IoU is the IoU.
    for row in scores["classes"].values():
        assert row["boundary_iou"] == row["iou"]
        assert row["boundary_f1"] == 1.0  # the contours are one pixel apart, 1 is allowed
    sure, wrong, right = 5, 1, 1
    confidence = 1 / (1 + np.exp(-3))
    error = abs(right - (wrong + right) * confidence) / (sure + wrong + right)
    assert scores["calibration_error"] == pytest.approx(error, rel=1e-5)
    assert scores["calibration"]["pixels"] == [0] * 14 + [7]  # sigmoid(3) is above 14 / 15


def test_surface_distances_are_averaged_over_photos(tmp_path, write_image):
    pytest.importorskip("scipy", reason="surface distances need SciPy")
    truth, photo = np.zeros((2, 30, 40), np.uint8)
    truth[10, 20], photo[13, 24] = 1, 200  # 3 down, 4 right
    write_image("i/a.png", photo)
    write_image("m/a.png", truth)
    write_image("i/b.png", photo * 0)  # missed: the diagonal, 50
    write_image("m/b.png", truth)
    source = kseg.data.folder(tmp_path / "i", tmp_path / "m", ["a", "b"])
    scores = kseg.evaluate(threshold_model(), source, surface=True)
    row = scores["classes"]["b"]
    assert row["hd95"] == row["asd"] == pytest.approx((5 + 50) / 2)
    assert (row["surface_images"], row["surface_missed"]) == (2, 1)
    mean = (scores["classes"]["a"]["hd95"] + row["hd95"]) / 2
    assert scores["mean_hd95"] == pytest.approx(mean)


@pytest.mark.once("torch")
def test_extra_numbers_of_mixed_sizes_agree_with_the_metrics(source, write_image, tmp_path):
    write_image("set/images/r.png", np.full((23, 31, 3), 200, np.uint8))
    write_image("set/masks/r.png", np.zeros((23, 31), np.uint8))
    root = tmp_path / "set"
    mixed = kseg.data.folder(root / "images", root / "masks", ["ground", "object"])
    model = threshold_model()
    scores = kseg.evaluate(model, mixed, batch_size=4, boundary=True, calibration=True)
    names = {"class_names": mixed.class_names}
    iou, f1 = kseg.metrics.BoundaryIoU(2, **names), kseg.metrics.BoundaryF1(2, **names)
    error = kseg.metrics.ExpectedCalibrationError(2)
    for index in range(len(mixed)):
        sample = mixed[index]
        logits = model.predict_on_batch(sample["image"][None])
        for metric in (iou, f1):
            metric.update_arrays(sample["label"][None], logits.argmax(-1))
        error.update_state(sample["label"][None], logits)
    for metric in (iou, f1):
        by_class = {name: row[metric.name] for name, row in scores["classes"].items()}
        assert by_class == metric.per_class()
    assert scores["calibration_error"] == pytest.approx(float(error.result()), abs=1e-6)


@pytest.mark.once("torch")
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


@pytest.mark.once("torch")
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


@pytest.mark.once("torch")
@pytest.mark.parametrize("resize", [(24, 30), (70, 90)])
def test_photos_can_be_resized_for_the_network(rng, resize):
    """The aspect stays; logits, not ids, are brought back to the photo's size."""
    from kseg.ops.resize import bilinear

    model = kseg.build_unet(4, width=4, depth=2, compile=False)
    photo = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    # 40x60: 24 / 40 = 0.6 makes 36 of 60, but 30 at most: half, 20x30; 70 -> 70x105 -> 90: 60x90
    size = (20, 30) if resize == (24, 30) else (60, 90)
    logits = np.asarray(model.predict_on_batch(bilinear(photo, *size)[None]))[0]
    expected = bilinear(logits, 40, 60).argmax(axis=-1)
    found = kseg.predict(model, photo, resize=resize)
    assert found.shape == (40, 60) and (found != expected).mean() <= 1e-3  # ties
    assert (kseg.predict(model, photo, resize=(40, 60)) == kseg.predict(model, photo)).all()
    for wrong in ((0, 9), (9, 8), 9, "ab"):
        with pytest.raises(ValueError, match="expected .shortest, longest. side in pixels"):
            kseg.predict(model, photo, resize=wrong)


def test_prediction_follows_training(source):
    """The labelling of a model is not frozen when it is first used."""
    model = kseg.build_unet(2, width=2, depth=1)
    image = source[0]["image"]
    kseg.predict(model, image)
    model.layers[-2].bias.assign([0.0, 1e6])
    assert (kseg.predict(model, image) == 1).all()
    model.layers[-2].bias.assign([1e6, 0.0])
    assert (kseg.predict(model, image) == 0).all()


@pytest.mark.once("torch")
def test_void_of_the_source_is_left_out(source):
    all_void = dataclasses.replace(
        source,
        decode=lambda row: {
            **(sample := source.decode(row)),
            "label": sample["label"] * 0 + 255,
        },
    )
    assert kseg.evaluate(threshold_model(), all_void)["pixels"] == 0
    scores = kseg.evaluate(threshold_model(), all_void, boundary=True, calibration=True)
    assert np.isnan([scores["mean_boundary_iou"], scores["calibration_error"]]).all()

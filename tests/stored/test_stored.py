"""What an earlier kseg wrote still loads and gives the numbers it gave (`make_stored.py`)."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import kseg
from kseg.models.saving import load_model

HERE = Path(__file__).resolve().parent
LABELLING = ("unet", "fcn16s", "deeplabv3plus")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Unpacks an archive once; returns its folder and the arrays that it expects."""
    unpacked = {}

    def unpack(name):
        if name not in unpacked:
            folder = tmp_path_factory.mktemp(name)
            shutil.unpack_archive(HERE / f"{name}.zip", folder)
            with np.load(folder / "expected.npz") as file:
                unpacked[name] = folder, dict(file)
        return unpacked[name]

    return unpack


def test_all_archives_are_tested():
    tested = {*LABELLING, "mask_rcnn", "run", "saved_model"}
    assert {path.stem for path in HERE.glob("*.zip")} == tested


@pytest.mark.once("torch")
@pytest.mark.parametrize("name", LABELLING)
def test_labels(stored, name):
    """Logits, ids, the compiled loss and every metric; the optimizer stands where it stood."""
    folder, expected = stored(name)
    model = load_model(folder / "model.keras")
    logits = keras.ops.convert_to_numpy(model(expected["images"], training=False))
    np.testing.assert_allclose(logits, expected["logits"], atol=1e-5)
    np.testing.assert_array_equal(kseg.predict(model, expected["images"][0]), expected["ids"])
    scores = model.test_on_batch(expected["images"], expected["labels"], return_dict=True)
    wanted = {key[6:]: value for key, value in expected.items() if key.startswith("score_")}
    assert scores.keys() == wanted.keys() and wanted.keys() >= {"loss", "mean_iou"}
    for key, value in wanted.items():
        np.testing.assert_allclose(scores[key], value, rtol=1e-5, err_msg=key)
    assert int(model.optimizer.iterations) == 2


def test_every_loss_and_metric_of_pixels_is_in_a_file(stored):
    """Their registered names stand in `unet`: a loss or metric that is renamed does not load."""
    import zipfile

    folder, _ = stored("unet")
    with zipfile.ZipFile(folder / "model.keras") as file:
        config = file.read("config.json").decode()
    losses = [name for name in kseg.__all__ if name.endswith("Loss")]
    metrics = ["MeanIoU", "MeanDice", "MeanPrecision", "MeanRecall", "PixelAccuracy"]
    metrics += ["FrequencyWeightedIoU", "BoundaryIoU", "BoundaryF1", "ExpectedCalibrationError"]
    assert len(losses) == 10
    for name in (*losses, *metrics, "WeightedSum"):
        assert f'"registered_name": "kseg>{name}"' in config


@pytest.mark.once("torch")
def test_objects(stored):
    folder, expected = stored("mask_rcnn")
    model = load_model(folder / "model.keras")
    assert (model.task, model.num_classes, int(model.optimizer.iterations)) == ("instance", 2, 1)
    assert model.paste == "torchvision"  # as it was trained, before there was a choice
    found = model.predict_on_batch(expected["images"])
    assert (expected["classes"] >= 0).any()
    np.testing.assert_array_equal(found["classes"], expected["classes"])
    for key, tolerance in (("boxes", 1e-3), ("scores", 1e-5), ("masks", 1e-5)):
        np.testing.assert_allclose(found[key], expected[key], atol=tolerance)


@pytest.mark.once("torch")
def test_a_run_folder(stored):
    folder, expected = stored("run")
    run = kseg.Run.open(folder / "run")
    assert run.class_names[:2] == ("background", "disk") and run.num_classes == 6
    assert run.settings["size"] == [32, 32] and run.settings["checkpoint_steps"] == 2
    assert [row["step"] for row in run.history()] == [5, 10]
    for which in ("best", "last"):
        model = run.load_model(which)
        logits = keras.ops.convert_to_numpy(model(expected["images"], training=False))
        np.testing.assert_allclose(logits, expected[which], atol=1e-5)
    assert int(model.optimizer.iterations) == expected["steps"]
    ids = kseg.load(folder / "run").predict(list(expected["images"]))
    np.testing.assert_array_equal(ids, expected["best"].argmax(-1))


@pytest.mark.once("torch")
def test_a_run_folder_goes_on(stored, tmp_path):
    """Stopped by an earlier kseg within its third epoch, it ends as that one ended it."""
    folder, expected = stored("run")
    shutil.copytree(folder / "run", tmp_path / "run")
    train = kseg.data.shapes("train", size=(32, 32), count=20)
    val = kseg.data.shapes("val", size=(32, 32), count=6)
    model = kseg.fit(None, train, val, run=tmp_path / "run", resume=True)
    assert int(model.optimizer.iterations) == 15
    logits = keras.ops.convert_to_numpy(model(expected["images"], training=False))
    np.testing.assert_allclose(logits, expected["ended"], atol=1e-3)  # after steps of Adam
    scores = [row["val_mean_iou"] for row in kseg.Run.open(tmp_path / "run").history()]
    np.testing.assert_allclose(scores, expected["val_mean_iou"], atol=1e-3)


def test_a_saved_model(stored):
    folder, expected = stored("saved_model")
    loaded = kseg.load(folder / "street")
    assert loaded.class_names == ("sky", "road", "car")
    assert loaded.colors == ((0, 0, 255), (128, 64, 128), (0, 0, 142))
    ids = loaded.predict(list(expected["images"]))
    np.testing.assert_array_equal(ids, expected["ids"])
    logits = loaded.signatures["logits"](images=expected["images"])["logits"].numpy()
    np.testing.assert_allclose(logits, expected["logits"], atol=1e-5)


@pytest.mark.once("torch")
def test_photos_in_files_of_a_saved_model(stored):
    import io

    from PIL import Image

    folder, expected = stored("saved_model")
    stream = io.BytesIO()
    Image.fromarray(expected["images"][0]).save(stream, "PNG")
    asked = {"image_bytes": np.array([stream.getvalue()])}
    signatures = kseg.load(folder / "street").signatures

    def picture(signature, output):
        answer = signatures[signature](**asked)
        return np.asarray(Image.open(io.BytesIO(answer[output].numpy()[0])))

    np.testing.assert_array_equal(picture("image_bytes", "mask_bytes"), expected["ids"][0])
    np.testing.assert_array_equal(picture("overlay", "overlay_bytes"), expected["overlay"])

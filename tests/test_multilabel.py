"""Several classes a pixel from end to end: learned, scored, predicted, drawn, exported, served."""

import json

import keras
import numpy as np
import pytest
from multilabel_scenes import NAMES, opened, scenes, source_of, write
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.data import transforms
from kseg.metrics.confusion import multilabel_counts, scores
from kseg.models.any_size import any_size
from kseg.models.contract import check_source, contract
from kseg.models.layers import MultiLabel
from kseg.models.precision import in_float32

SETTINGS = {"size": (32, 48), "batch_size": 4, "epochs": 10, "learning_rate": 0.1, "warmup": 0.0}
THRESHOLD = (0.5, 0.3, 0.8)


@pytest.fixture(scope="module")
def sets():
    return source_of(*scenes(16), "train"), source_of(*scenes(3, seed=1), "val")


def network():
    """A network that is no builder's, which sees three pixels around each."""
    x = image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 64, -2.0)(x)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="leaky_relu")(x)
    logits = keras.layers.Conv2D(3, 1)(x)
    return keras.Model(image, MultiLabel()(logits), name="several")


@pytest.fixture(scope="module")
def run(sets, tmp_path_factory):
    """A run of it, trained on two of the sets."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("runs") / "run"
    settings = kseg.Settings(**SETTINGS, validate_epochs=10)
    kseg.fit(network(), *sets, run=path, settings=settings, augment=[transforms.random_flip()])
    return kseg.Run.open(path)


@pytest.mark.once("torch")
def test_it_is_learned_scored_and_predicted(run, sets):
    model, val = run.load_model(), sets[1]
    built = kseg.build_unet(3, width=2, depth=1, multilabel=True)
    assert contract(model) == contract(built) and contract(built).task == "multilabel"
    assert [loss.options["multilabel"] for loss in model.loss.losses] == [True, True]
    found = kseg.evaluate(model, val)
    assert found["mean_iou"] == pytest.approx(run.best()["val_mean_iou"], abs=1e-6)
    assert found["mean_iou"] > 0.8 and min(row["iou"] for row in found["classes"].values()) > 0.7
    photos = [val[i]["image"] for i in range(3)]
    predicted = np.stack(kseg.predict(model, photos))
    assert predicted.dtype == bool and predicted.shape == (3, 32, 48, 3)
    assert (predicted.sum(-1) > 1).any() and (predicted.sum(-1) == 0).any()
    truth = np.stack([val[i]["label"] for i in range(3)])
    expected = scores(multilabel_counts(truth, predicted))
    for name, row in found["classes"].items():
        assert row["iou"] == pytest.approx(expected["iou"][NAMES.index(name)])
        assert row["pixels"] == truth[..., NAMES.index(name)].sum()
    assert found["pixel_accuracy"] == pytest.approx((truth == predicted).mean())
    again = kseg.evaluate(model, kseg.data.batches(val, batch_size=2))
    assert again["confusion"] == found["confusion"]
    p = kseg.predict(model, photos[0], probabilities=True)
    assert p.dtype == np.float32
    np.testing.assert_array_equal(
        kseg.predict(model, photos[0], threshold=THRESHOLD), p > THRESHOLD
    )
    np.testing.assert_array_equal(kseg.predict(model, photos[0], tile=128), predicted[0])
    other = kseg.evaluate(model, val, threshold=THRESHOLD)
    labels = np.stack(kseg.predict(model, photos, threshold=list(THRESHOLD)))
    assert other["confusion"] == multilabel_counts(truth, labels).tolist()
    assert "3 images, 13,824 labels" in found.tables[0].title


@pytest.mark.once("torch")
def test_what_does_not_fit_is_named(run, sets):
    model, image = run.load_model(), sets[1][0]["image"]
    for call, message in (
        (lambda: kseg.predict(model, image, threshold=(0.5, 0.5)), "a list of 3 such"),
        (lambda: kseg.predict(model, image, min_score=0.5), "of instance models.*multilabel"),
        (lambda: kseg.evaluate(model, sets[1], boundary=True), "of semantic models.*multilabel"),
        (lambda: check_source(model, kseg.data.shapes("val", count=2)), "with multilabel=True"),
        (lambda: check_source(kseg.build_unet(3, width=2), sets[1]), "with multilabel=False"),
        (
            lambda: kseg.evaluate(model, source_of(*(x[..., :2] for x in scenes(2)))),
            "3 classes but",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_network_says_it_in_files_copies_and_wrappers(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = kseg.build_unet(2, input_shape=(16, 16, 3), width=2, depth=1, multilabel=True)
    keras.config.set_dtype_policy("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    image = keras.Input((16, 16, 3))
    own = keras.Sequential([image, keras.layers.Conv2D(2, 1), MultiLabel()])
    for each in (loaded, in_float32(model), any_size(model), keras.Model(image, model(image)), own):
        about = contract(each)
        assert (about.task, about.num_classes, about.outputs) == ("multilabel", 2, 2)
    assert contract(kseg.build_unet(1, width=2, depth=1, multilabel=True)).num_classes == 1
    plain = keras.Model(image, keras.layers.Conv2D(2, 1)(image))
    assert contract(plain).task == "semantic"


@pytest.mark.once("torch")
def test_a_loss_of_another_task_is_refused(sets):
    model = kseg.build_unet(3, width=2, depth=1, multilabel=True)
    images, labels = scenes(2)
    model.compile("sgd", loss=kseg.DiceLoss() + kseg.CrossEntropyLoss(multilabel=True))
    with pytest.raises(ValueError, match=r"Compile with DiceLoss\(multilabel=True\)"):
        model.fit(images, labels, verbose=0)
    model.compile("sgd", loss=kseg.BoundaryLoss())
    with pytest.raises(ValueError, match="multilabel of BoundaryLoss=False.*another, as DiceLoss"):
        model.evaluate(images, labels, verbose=0)
    one = kseg.build_unet(3, width=2, depth=1, compile=False)
    one.compile("sgd", loss=kseg.DiceLoss(multilabel=True))
    with pytest.raises(ValueError, match=r"Compile with DiceLoss\(multilabel=False\)"):
        one.fit(images, labels, verbose=0)
    model.compile("sgd", loss=kseg.DiceLoss(multilabel=True))
    for wrong, message in ((3 * labels, r"ids in y_true=\[3\]"), (labels[..., 0], "y_true.shape")):
        with pytest.raises(ValueError, match=message):
            model.fit(images, wrong, verbose=0)


@pytest.mark.once("torch")
def test_a_class_that_never_occurs_is_learned_to_be_nowhere():
    from kseg.training.multilabel import weights

    assert weights(np.array([0, 0, 0]), 0.5) is None and weights(np.array([1, 2]), 0) is None
    assert weights(np.array([4, 0, 4]), 1.0) == [1.0, 1.0, 1.0]


def test_pictures_of_classes_that_overlap():
    image = np.full((5, 6, 3), 100, np.uint8)
    label = np.zeros((5, 6, 2), np.uint8)
    label[:, :5, 0], label[:, 2:, 1] = 1, 1
    label[0, 0] = 255
    picture = kseg.pictures.overlay(image, label, [(200, 0, 0), (0, 100, 0)])
    assert picture[0, 0].tolist() == [100, 100, 100]  # void is the bare photo
    assert picture[2, 1].tolist() == [150, 50, 50]  # half the photo, half the colour
    assert picture[2, 3].tolist() == [100, 75, 50]  # half the photo, half the mean of both
    assert picture[2, 4].tolist() == [200, 0, 0]  # where the first ends, its outline
    assert picture[2, 2].tolist() == [0, 100, 0]  # where the second begins


@pytest.mark.once("torch")
def test_what_people_open_shows_them(run, sets, tmp_path):
    from kseg.reports import multilabel
    from kseg.reports.check import write_check

    val = sets[1]
    label = val[0]["label"]
    (entry,) = multilabel.caption(val, val[0])
    assert entry.text.startswith("bar") and f"disc {label[..., 0].mean():.1%}" in entry.text
    legend = multilabel.legend(val, multilabel.class_ids(val[0]))
    assert [each.text for each in legend[:3]] == list(NAMES) and "mixed" in legend[3].text
    write_check(kseg.check(val), [val], tmp_path / "page.html")
    assert "their colours are mixed" in (tmp_path / "page.html").read_text()
    kseg.reports.write_sheet(run.load_model(), val, tmp_path / "sheet.png", count=1, width=48)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 4 * 48
    assert "data:image/jpeg" in val._repr_html_()
    from kseg.pictures.multilabel import panels

    wrong = panels(val, val[0], label == 0)[3]
    assert (wrong == (220, 50, 47)).all()


@pytest.mark.slow
@pytest.mark.backends("tensorflow", reason="written by a process of its own elsewhere")
def test_it_is_exported_and_served(run, sets, tmp_path):
    every = ("serving_default", "image_bytes", "overlay", "logits", "tiled")
    options = kseg.SavedModelOptions(signatures=every, threshold=list(THRESHOLD), resize=(24, 36))
    exported = kseg.export(run, tmp_path / "models", options, source=sets[1], verbose=False)
    comparison = exported.comparison
    assert (comparison.unit, comparison.differing) == ("labels", 0)
    assert [*comparison.offered] == list(every) and max(comparison.offered.values()) < 1e-4
    told = {"resize": (24, 36)}
    expected = scores_of(run.load_model(), sets[1], threshold=THRESHOLD, **told)
    assert comparison.artefact.mean_iou == pytest.approx(expected, abs=0.1)  # at 0.5 and unresized
    served, image = kseg.load(exported.path), sets[1][0]["image"]
    model = run.load_model()
    for threshold in (None, 0.7):
        given = THRESHOLD if threshold is None else threshold
        np.testing.assert_array_equal(
            served.predict(image, threshold=threshold),
            kseg.predict(model, image, threshold=given, **told),
        )
    photo = Image.fromarray(image)
    photo.save(tmp_path / "photo.png")
    content = np.array([(tmp_path / "photo.png").read_bytes(), b"junk"], object)
    answers = served.signatures["image_bytes"](image_bytes=tf_constant(content))
    assert answers["status"].numpy().tolist() == [b"ok", b"neither JPEG nor PNG nor .npy"]
    labels = kseg.predict(model, image, threshold=THRESHOLD, **told)
    assert answers["pixel_counts"].numpy().tolist() == [labels.sum((0, 1)).tolist(), [0, 0, 0]]


def tf_constant(values):
    import tensorflow as tf

    return tf.constant(values)


def scores_of(model, source, **options):
    pairs = [
        (s["label"], kseg.predict(model, s["image"], **options)) for s in kseg.data.samples(source)
    ]
    return scores(sum(multilabel_counts(*pair) for pair in pairs))["mean_iou"]


@pytest.mark.slow
@pytest.mark.backends("tensorflow", reason="written by a process of its own elsewhere")
def test_other_formats_hold_it(run, sets, tmp_path):
    pytest.importorskip("onnxruntime")
    exported = kseg.export(run, tmp_path / "several.onnx", source=sets[1], verbose=False)
    assert (exported.comparison.unit, exported.comparison.differing) == ("labels", 0)
    assert exported.comparison.artefact.mean_iou > 0.8


@pytest.mark.slow
@pytest.mark.once("torch")
def test_the_whole_way_by_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    root = write(tmp_path / "set", "photo", *scenes(6))
    small = ["--width", "2", "--depth", "1", "--epochs", "1", "--size", "32x32"]
    assert main(["check", "set", "--multilabel"]) == 0
    assert main(["check", "set"]) == 1
    assert "Give --multilabel." in " ".join(capsys.readouterr().out.split())
    assert main(["fit", "set", "--multilabel", *small, "--run", "run"]) == 0
    assert main(["evaluate", "run", "--threshold", "0.5,0.1,0.9", "--json", "scores.json"]) == 0
    scored = json.loads((tmp_path / "scores.json").read_text())
    model, val = kseg.load("run").model, opened(root, split="val")
    expected = kseg.evaluate(model, val, threshold=(0.5, 0.1, 0.9))
    assert scored["confusion"] == expected["confusion"]
    assert main(["predict", "set/images", "--run", "run", "-o", "out", "--threshold", "0.4"]) == 0
    (tmp_path / "out" / "images").symlink_to(tmp_path / "set" / "images")
    written = opened(tmp_path / "out")  # what is predicted can be read as masks
    for index in range(len(written)):
        sample = written[index]
        labels = kseg.predict(model, sample["image"], threshold=0.4)
        np.testing.assert_array_equal(sample["label"], labels)
    capsys.readouterr()
    for given, said in (
        (["fit", "set", "--multilabel", "--model", "mask_rcnn"], "--multilabel: expected None"),
        (["fit", "camvid:set", "--multilabel"], "--multilabel: expected None for data camvid"),
        (["evaluate", "run", "--threshold", "0.5,0.1"], "--threshold 0.5,0.1: expected a number"),
        (["evaluate", "run", "--surface"], "--surface is of semantic models"),
    ):
        assert main(given) == 2
        assert said in " ".join(capsys.readouterr().err.split())

"""`kseg.export`: what it writes does what the model does, or nothing is written."""

import dataclasses
import io
import json
import os

import keras
import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.models.saving import save_model

same_graph = pytest.mark.backends("tensorflow", reason="the same graph")
# other backends run it in a process of its own: seen with ONNX
same_writer = pytest.mark.backends("tensorflow", reason="the same writer")
LITERT = ("unet.tflite", "ai_edge_litert")


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((30, 41), (64, 48))]


def small_unet(num_classes=4, **options):
    return kseg.build_unet(num_classes, width=4, depth=1, compile=False, **options)


def small_mask_rcnn():
    return kseg.build_mask_rcnn(
        2,
        encoder="torchvision:resnet18",
        fpn_width=16,
        box_width=32,
        mask_width=16,
        anchor_sizes=((16,), (32,), (64,), (128,), (256,)),
        predict_proposals=50,
        detections=10,
        resize=(64, 96),
        seed=0,
        compile=False,
    )


def loss_of_ones_own(y_true, y_pred):
    """A loss that no other process knows: a model is exported without it."""
    return keras.ops.mean(y_pred)


def signature(exported, name, **inputs):
    """What a signature gives, run by TensorFlow alone."""
    import tensorflow as tf

    outputs = tf.saved_model.load(str(exported.path)).signatures[name](
        **{key: tf.constant(value) for key, value in inputs.items()}
    )
    return {key: value.numpy() for key, value in outputs.items()}


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def pixels(content):
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.once("tensorflow")
@pytest.mark.backends("tensorflow", "torch", reason="as from PyTorch, in another process")
def test_a_saved_model_does_what_predict_does(tmp_path, photos):
    model = small_unet()
    model.compile(loss=loss_of_ones_own)
    exported = kseg.export(model, tmp_path, samples=2, verbose=False)
    assert exported.path == tmp_path / "unet" / "1" and os.listdir(tmp_path / "unet") == ["1"]
    assert exported.comparison.differing == 0
    expected = [kseg.predict(model, photo) for photo in photos]

    encoded = [png(photo) for photo in photos]
    outputs = signature(exported, "image_bytes", image_bytes=[encoded[0], b"junk", encoded[1]])
    assert outputs["status"].tolist() == [b"ok", b"neither JPEG nor PNG nor .npy", b"ok"]
    for position, ids in ((0, expected[0]), (2, expected[1])):
        np.testing.assert_array_equal(pixels(outputs["mask_bytes"][position]), ids)
        counts = np.bincount(ids.ravel(), minlength=4)
        np.testing.assert_array_equal(outputs["pixel_counts"][position], counts)
    assert outputs["mask_bytes"][1] == b"" and not outputs["pixel_counts"][1].any()

    images = np.stack([photos[0], photos[0][::-1]])
    outputs = signature(exported, "serving_default", images=images)
    np.testing.assert_array_equal(outputs["class_ids"][0], expected[0])
    logits = np.asarray(model.predict_on_batch(images.astype("float32")))
    scores = np.exp(logits - logits.max(-1, keepdims=True))
    scores = (scores / scores.sum(-1, keepdims=True)).max(-1)
    np.testing.assert_allclose(outputs["scores"], scores, rtol=1e-4)
    outputs = signature(exported, "image_bytes", image_bytes=[encoded[0]])
    np.testing.assert_allclose(outputs["mean_confidence"][0], scores[0].mean(), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.once("torch")
@pytest.mark.backends("tensorflow", "torch", reason="JAX compiles for a minute; the same graph")
def test_objects_come_out_as_predict_finds_them(tmp_path, photos, capsys):
    model = small_mask_rcnn()
    names = ("serving_default", "image_bytes")
    exported = kseg.export(
        model,
        tmp_path,
        kseg.SavedModelOptions(signatures=names, min_score=0.2),
        samples=1,
        verbose=False,
    )
    encoded = [png(photo) for photo in photos]
    outputs = signature(exported, "image_bytes", image_bytes=[b"", *encoded])
    assert outputs["status"][0].startswith(b"empty") and (outputs["classes"][0] == -1).all()
    loaded = kseg.load(exported.path)
    assert loaded.task == "instance" and loaded.said == {"paste": "centred"}
    assert repr(loaded).endswith("mask_rcnn/1', instance, 2 classes>")
    assert main(["info", str(exported.path)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "mask_rcnn, instance, 2 classes: 0, 1 format: saved_model" in printed
    assert "min_score: 0.2" in printed and "COCO's compressed runs" in printed
    for position, photo in enumerate(photos, 1):
        expected = kseg.predict(model, photo, min_score=0.2)
        count = len(expected)
        assert count and (outputs["classes"][position] >= 0).sum() == count
        np.testing.assert_array_equal(outputs["classes"][position][:count], expected.classes)
        np.testing.assert_allclose(outputs["boxes"][position][:count], expected.boxes, atol=1e-2)
        np.testing.assert_allclose(outputs["scores"][position][:count], expected.scores, atol=1e-4)
        assert outputs["size"][position].tolist() == list(photo.shape[:2])
        decode = pytest.importorskip("pycocotools.mask").decode
        for text, mask in zip(outputs["rle"][position], expected.masks):
            run = decode({"size": photo.shape[:2], "counts": text}).astype(bool)
            assert np.count_nonzero(run != mask) <= 0.002 * mask.size
        best = float(expected.scores[0])
        assert len(loaded.predict(photo, min_score=1)) == 0
        assert 1 <= len(loaded.predict(photo, min_score=best - 1e-3)) <= count
        again = loaded.predict(photo)
        np.testing.assert_allclose(again.boxes, expected.boxes, atol=1e-2)
        assert np.count_nonzero(again.masks != expected.masks) <= 0.002 * expected.masks.size
    about = exported.path / "assets.extra" / "kseg.json"
    kept = about.read_text()
    said = json.loads(kept)
    assert said.pop("paste") == "centred"
    about.write_text(json.dumps(said))  # an export of before, by torchvision's rule
    assert kseg.load(exported.path).said == {"paste": "torchvision"}
    about.write_text(kept)
    source = kseg.data.shapes("val", count=2, size=(48, 64), instances=True)
    names = source.class_names[:2]
    decode = source.decode  # two classes, those of the model
    source = dataclasses.replace(
        source,
        decode=lambda row: decode(row) | {"classes": decode(row)["classes"] % 2},
        **{"class_names": names, "colors": source.colors[:2], "category_ids": None},
    )
    scores, expected = kseg.evaluate(loaded, source), kseg.evaluate(model, source)
    assert scores["min_score"] == 0.2 and "Export with min_score=0.0" in repr(scores._repr_html_())
    assert scores["objects"] == expected["objects"]
    assert 0 < scores["detections"] <= expected["detections"]


@same_graph
@pytest.mark.slow  # signatures are compared with resize= in serving/test_compared.py
@pytest.mark.parametrize("resize", [(24, 40), (80, 200)])
def test_resizing_is_in_the_graph(tmp_path, photos, resize):
    model = small_unet()
    options = kseg.SavedModelOptions(resize=resize)
    exported = kseg.export(model, tmp_path, options, samples=2, verbose=False)
    outputs = signature(exported, "image_bytes", image_bytes=[png(photo) for photo in photos])
    for content, photo in zip(outputs["mask_bytes"], photos):
        expected = kseg.predict(model, photo, resize=resize)
        assert (pixels(content) != expected).mean() <= 1e-3
        assert (expected != kseg.predict(model, photo)).mean() > 1e-3  # it does something


@pytest.mark.slow
@same_graph
def test_signatures_on_request(tmp_path, photos):
    model = small_unet()
    names = ("serving_default", "logits", "tiled", "overlay")
    colors = ((0, 0, 0), (200, 0, 0), (0, 200, 0), (0, 0, 200))
    options = kseg.SavedModelOptions(
        name="street", version=7, signatures=names, tile=32, overlap=16, overlay="png"
    )
    exported = kseg.export(model, tmp_path, options, colors=colors, samples=1, verbose=False)
    assert exported.path == tmp_path / "street" / "7"
    images = photos[0][None]
    logits = signature(exported, "logits", images=images)["logits"]
    np.testing.assert_allclose(
        logits, model.predict_on_batch(images.astype("float32")), rtol=1e-4, atol=1e-4
    )
    # the photo of 30x41 has one row of tiles, of 30x32, whose seam is in column 20
    ids = pixels(signature(exported, "tiled", image_bytes=[png(photos[0])])["mask_bytes"][0])
    left, right = (kseg.predict(model, photos[0][:, part]) for part in (slice(32), slice(9, 41)))
    np.testing.assert_array_equal(ids, np.hstack([left[:, :20], right[:, 11:]]))
    picture = signature(exported, "overlay", image_bytes=[png(photos[0])])["overlay_bytes"][0]
    expected = kseg.pictures.overlay(photos[0], kseg.predict(model, photos[0]), colors)
    np.testing.assert_array_equal(pixels(picture), expected)
    about = json.loads((exported.path / "assets.extra" / "kseg.json").read_text())
    assert list(about["signatures"]) == list(names) and about["name"] == "street"


@pytest.mark.slow
@pytest.mark.once("tensorflow")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param("binary", marks=same_graph),
        pytest.param("grey", marks=(same_graph, pytest.mark.slow)),
        pytest.param("mixed", marks=pytest.mark.slow),
    ],
)
def test_other_models(tmp_path, photos, case):
    photo = photos[0]
    if case == "binary":
        model = small_unet(1)
    elif case == "grey":
        model, photo = small_unet(3, input_shape=(None, None, 1)), photo[:, :, :1]
    else:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = small_unet()
    exported = kseg.export(model, tmp_path, samples=1, verbose=False)
    loaded = kseg.load(tmp_path / "unet")
    # in bfloat16 near ties fall either way
    share = 0.02 if case == "mixed" else 0
    assert (loaded.predict(photo) != kseg.predict(model, photo)).mean() <= share
    if case == "binary":
        assert loaded.class_names == ("0", "1")
        counts = signature(exported, "image_bytes", image_bytes=[png(photo)])["pixel_counts"][0]
        ones = int(kseg.predict(model, photo).sum())
        assert counts.tolist() == [photo.shape[0] * photo.shape[1] - ones, ones]
    if case == "grey":
        grey = png(photo[:, :, 0])
        mask = signature(exported, "image_bytes", image_bytes=[grey])["mask_bytes"][0]
        shown = np.asarray(Image.open(io.BytesIO(mask)))
        np.testing.assert_array_equal(shown, kseg.predict(model, photo))


@pytest.mark.backends("tensorflow", reason="needs the writer in this process")
def test_what_differs_is_not_written(tmp_path, monkeypatch):
    """A written model that is another one is refused, and leaves no trace."""
    from kseg.deployment.saved_model import write as saved_model

    write, other = saved_model.write, small_unet()
    options = kseg.SavedModelOptions(signatures=("serving_default",))
    monkeypatch.setattr(
        saved_model, "write", lambda model, path, **options: write(other, path, **options)
    )
    with pytest.raises(ValueError, match="does not do what the model does.*Nothing was written"):
        kseg.export(small_unet(), tmp_path / "out", options, samples=1, verbose=False)
    assert os.listdir(tmp_path) == []
    allowed = kseg.export(small_unet(), tmp_path, options, samples=1, tolerance=1, verbose=False)
    assert allowed.comparison.differing > 0.01


@pytest.mark.once("tensorflow")
def test_photos_of_other_classes_are_refused(tmp_path, monkeypatch):
    """Before anything is traced or written."""
    monkeypatch.setattr("kseg.deployment.export.format_module", None)
    source = kseg.data.shapes("val", count=2)  # of six classes
    with pytest.raises(ValueError, match="6"):
        kseg.export(small_unet(4), tmp_path / "out", source=source, verbose=False)
    assert not (tmp_path / "out").exists()


def test_what_can_be_exported(tmp_path):
    with pytest.raises(TypeError, match="model=7: expected a Keras model, a kseg.Run, or the path"):
        kseg.export(7, tmp_path)
    wrong = {
        "path": (None, "expected a folder for SavedModels"),
        "source": ("shapes", "expected a Source of kseg.data"),
        "colors": ((1, 2, 3), "expected a list of .red, green, blue."),
    }
    for name, (value, message) in wrong.items():
        with pytest.raises(TypeError, match=f"{name}=.*: {message}"):
            kseg.export(small_unet(), **{"path": tmp_path / "out", name: value})
    with pytest.raises(ValueError, match="class_names='Sky': expected a list of names"):
        kseg.export(small_unet(), tmp_path / "out", class_names="Sky", verbose=False)
    assert not (tmp_path / "out").exists()
    with pytest.raises(FileNotFoundError, match="run.json"):
        kseg.export(tmp_path / "nothing", tmp_path)
    with pytest.raises(FileNotFoundError, match="a.keras"):
        kseg.export(tmp_path / "a.keras", tmp_path)


@pytest.mark.slow
@pytest.mark.once("torch")
def test_runs_files_and_exports_behind_one_interface(tmp_path, photos, capsys):
    model = small_unet(6)
    names = ("sky", "road", "car", "tree", "sign", "person")
    colors = tuple((10 * i, 0, 0) for i in range(6))
    run = kseg.Run(tmp_path / "run", names, colors, 255, {}, {"spec": "shapes"})
    run.write()
    save_model(model, run.path / "best.keras")
    assert main(["export", str(run.path), str(tmp_path / "models"), "--samples", "2"]) == 0
    printed = capsys.readouterr().out
    assert "2 photos of shapes/val" in printed and "SavedModel" in printed
    assert "0.0000% of the pixels come out otherwise" in printed

    opened = [
        kseg.load(run.path),
        kseg.load(run.path / "best.keras"),
        kseg.load(tmp_path / "models" / "unet"),
        kseg.load(tmp_path / "models" / "unet" / "1"),
    ]
    expected = [kseg.predict(model, photo) for photo in photos]
    for loaded in opened:
        assert loaded.task == "semantic"
        for actual, ids in zip(loaded.predict(photos), expected):
            assert actual.dtype == np.int32
            np.testing.assert_array_equal(actual, ids)
    with pytest.raises(ValueError, match="min_score=0.3 is of instance models"):
        opened[2].predict(photos, min_score=0.3)
    assert opened[0].class_names == opened[2].class_names == names
    assert opened[0].colors == opened[3].colors == colors
    assert opened[1].class_names == tuple("012345")

    assert main(["info", str(tmp_path / "models" / "unet")]) == 0
    printed = capsys.readouterr().out
    assert "sky, road, car" in printed and "mask_bytes" in printed and "image_bytes" in printed
    assert main(["export", str(run.path), str(tmp_path / "models"), "--version", "1"]) == 2
    assert "another number" in capsys.readouterr().err


def test_what_cannot_be_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither a run folder nor a .keras file nor"):
        kseg.load(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ValueError, match="not of kseg.export"):
        kseg.load(tmp_path)


@pytest.mark.few("onnx")
@pytest.mark.once("torch")
@pytest.mark.parametrize(
    ("options", "name", "needs"),
    [
        pytest.param(kseg.OnnxOptions(), "unet.onnx", "onnxruntime", marks=pytest.mark.slow),
        pytest.param(kseg.LiteRTOptions((32, 40)), *LITERT, marks=same_writer),
        pytest.param(
            kseg.LiteRTOptions((32, 40), "float16"), *LITERT, marks=(same_writer, pytest.mark.slow)
        ),
        pytest.param(
            kseg.OpenVINOOptions(), "unet", "openvino", marks=(same_writer, pytest.mark.slow)
        ),
    ],
)
def test_other_formats_are_compared_and_moved_into_place(tmp_path, options, name, needs):
    pytest.importorskip(needs)
    path = tmp_path / "out" / name
    exported = kseg.export(small_unet(), path, options, samples=2, verbose=False)
    assert exported.path == tmp_path / "out" / name and os.listdir(tmp_path / "out") == [name]
    assert exported.comparison.differing <= (1e-2 if options.precision == "float16" else 1e-4)
    assert 0 < exported.comparison.artefact.megabytes < 1


@pytest.mark.slow
@same_writer
def test_what_has_lost_too_much_is_not_written(tmp_path):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "unet.tflite"
    path.write_text("the last one")
    with pytest.raises(ValueError, match=r"litert int8 does not do.*\(tolerance=0\)"):
        options = kseg.LiteRTOptions(shape=(32, 32), precision="int8")
        kseg.export(small_unet(), path, options, tolerance=0, samples=2, overwrite=True)
    assert path.read_text() == "the last one" and os.listdir(tmp_path) == [path.name]


@pytest.mark.slow
@same_writer
def test_formats_that_cannot_hold_a_model_say_which_can(tmp_path):
    for format, name in (("onnx", "a.onnx"), ("litert", "a.tflite"), ("openvino", "a")):
        with pytest.raises(ValueError, match="cannot hold model 'mask_rcnn'.*'saved_model'"):
            kseg.export(small_mask_rcnn(), tmp_path / name, format)
    with pytest.raises(ValueError, match="shape=.256, 320., or use format='onnx'"):
        kseg.export(small_unet(), tmp_path / "a.tflite", "litert")
    with pytest.raises(ValueError, match="format='onnx': expected 'litert' for path="):
        kseg.export(small_unet(), tmp_path / "a.tflite", "onnx")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(ValueError, match="a folder that is new or empty"):
        kseg.export(small_unet(), tmp_path / "full", "openvino")
    assert os.listdir(tmp_path) == ["full"]

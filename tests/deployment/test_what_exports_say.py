"""Files of ONNX, LiteRT and OpenVINO say their task, classes, thresholds and range themselves."""

import dataclasses
import json
import shutil
import zipfile

import numpy as np
import pytest
from models.small_mask_rcnn import build
from multilabel_scenes import NAMES, scenes, source_of, write

import kseg
from kseg.cli.main import main
from kseg.data.spec import DataSpec
from kseg.deployment.formats import format_module, options_class
from kseg.deployment.metadata import from_text

pytestmark = [
    pytest.mark.backends("tensorflow", reason="formats are written by TensorFlow"),
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated"),
]
THRESHOLD = (0.5, 0.3, 0.8)
COLORS = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
FORMATS = {
    "onnx": ("several.onnx", (None, None), "onnxruntime"),
    "litert": ("several.tflite", (32, 48), "ai_edge_litert"),
    "openvino": ("several", (None, None), "openvino"),
}
every_format = pytest.mark.parametrize("format", FORMATS)
# what is written is read in one way: others than ONNX, which takes a second, by hand
one_format = pytest.mark.parametrize(
    "format",
    ["onnx", *(pytest.param(name, marks=pytest.mark.slow) for name in FORMATS if name != "onnx")],
)


def several(**options):
    return kseg.build_unet(3, width=4, depth=1, multilabel=True, compile=False, **options)


@pytest.fixture(scope="module")
def source():
    return source_of(*scenes(3, seed=1), "val")


class Exports(dict):
    """Format -> path of a model's export to it, written when it is first asked for."""

    def __init__(self, model, folder, source):
        super().__init__()
        self.model, self.folder, self.source = model, folder, source

    def __missing__(self, format):
        name, shape, needs = FORMATS[format]
        pytest.importorskip(needs)
        options = options_class(format)(shape=shape, threshold=THRESHOLD)
        chosen = {"source": self.source, "class_names": NAMES, "colors": COLORS, "samples": 2}
        kseg.export(self.model, self.folder / name, options, verbose=False, **chosen)
        self[format] = self.folder / name
        return self[format]


@pytest.fixture(scope="module")
def exported(source, tmp_path_factory):
    """A model of several classes a pixel, and its `Exports`."""
    model = several()
    head = [layer for layer in model.layers if getattr(layer, "bias", None) is not None][-1]
    head.bias.assign([0.2, -0.4, 0.9])  # so that the thresholds decide
    return model, Exports(model, tmp_path_factory.mktemp("exports"), source)


@pytest.mark.slow
@every_format
def test_several_classes_a_pixel_by_the_thresholds_of_the_export(exported, source, format):
    model, loaded = exported[0], kseg.load(exported[1][format])
    assert (loaded.task, loaded.class_names, loaded.colors) == ("multilabel", NAMES, COLORS)
    assert loaded.told == {"threshold": THRESHOLD}
    photos = [source[i]["image"] for i in range(3)]
    expected = {t: kseg.predict(model, photos, threshold=t) for t in (0.5, THRESHOLD)}
    assert np.mean(np.array(expected[0.5]) != expected[THRESHOLD]) > 0.1
    np.testing.assert_array_equal(loaded.predict(photos), expected[THRESHOLD])
    np.testing.assert_array_equal(loaded.predict(photos, threshold=0.5), expected[0.5])
    for options in ({}, {"threshold": 0.5}):
        scores = kseg.evaluate(loaded, source, **options)
        of_model = kseg.evaluate(model, source, **{"threshold": THRESHOLD, **options})
        assert scores["confusion"] == of_model["confusion"]
    with pytest.raises(ValueError, match="min_score=0.5 is of instance models"):
        loaded.predict(photos, min_score=0.5)
    with pytest.raises(ValueError, match="threshold=.*3 "):
        loaded.predict(photos, threshold=(0.1, 0.2))


@pytest.mark.slow
@every_format
def test_what_a_file_says_is_shown_and_used_by_commands(exported, format, tmp_path, capsys):
    path, root = str(exported[1][format]), write(tmp_path / "set", "npy", *scenes(2, seed=1))
    assert main(["info", path]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    shape = list(FORMATS[format][1])
    for text in (
        f"several, multilabel, 3 classes: {', '.join(NAMES)}",
        f"format: {format} shape: {shape} precision: float32 threshold: [0.5, 0.3, 0.8]",
        "kseg: 0.1.0",
        "images uint8 ",
        "logits float32 ",
    ):
        assert text in printed, (text, printed)
    photo, out = root / "images" / "p0.png", tmp_path / "out"
    assert main(["predict", str(photo), "--run", path, "-o", str(out)]) == 0
    with np.load(out / "masks" / "p0.npz") as written:
        assert tuple(written["class_names"]) == NAMES
        expected = kseg.predict(exported[0], photo, threshold=THRESHOLD)
        np.testing.assert_array_equal(written["labels"], expected)
    scores = tmp_path / "scores.json"
    assert main(["evaluate", path, f"folder:{root}", "--json", str(scores)]) == 0
    expected = kseg.evaluate(
        exported[0],
        DataSpec(f"folder:{root}").for_task("multilabel").open("val"),
        threshold=THRESHOLD,
    )
    assert json.loads(scores.read_text())["confusion"] == expected["confusion"]


@pytest.mark.slow  # LiteRT and OpenVINO are written for it
def test_other_programs_find_it(exported):
    """By the formats' own means, as the page on serving says."""
    onnx, openvino = pytest.importorskip("onnx"), pytest.importorskip("openvino")
    paths = exported[1]
    props = onnx.load(paths["onnx"]).metadata_props
    graph = openvino.Core().read_model(paths["openvino"] / "model.xml")
    with zipfile.ZipFile(paths["litert"]) as behind:
        files = behind.namelist()
        of_litert = behind.read("kseg.json").decode()
    assert files == ["kseg.json"]
    texts = [
        next(each.value for each in props if each.key == "kseg"),
        graph.get_rt_info(["kseg"]).astype(str),
        of_litert,
    ]
    for text, format in zip(texts, ("onnx", "openvino", "litert")):
        said = json.loads(text)
        assert said["task"] == "multilabel" and said["class_names"] == list(NAMES)
        assert said["colors"] == [list(color) for color in COLORS]
        asked = {"shape": list(FORMATS[format][1]), "precision": "float32"}
        assert said["options"] == {**asked, "threshold": list(THRESHOLD)}


@pytest.mark.slow
@one_format
def test_numbers_of_another_range(format, tmp_path):
    """Five bands of 12 bits: the file says the range, and is loaded with it."""
    name, shape, needs = FORMATS[format]
    pytest.importorskip(needs)
    model = kseg.build_unet(
        2, input_shape=(None, None, 5), value_range=(0, 4095), width=4, depth=1, compile=False
    )
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 4096, (32, 48, 5), dtype=np.uint16)
    options = options_class(format)(shape=shape)
    kseg.export(model, tmp_path / name, options, samples=1, verbose=False)
    loaded = kseg.load(tmp_path / name)
    assert (loaded.value_range, loaded.channels) == ((0, 4095), 5)
    labels = loaded.predict(photo)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, kseg.predict(model, photo))
    with pytest.raises(ValueError, match=r"image.max\(\)=4096: expected numbers of 0..4095"):
        loaded.predict(photo + np.uint16(4096 - photo.max()))
    path = tmp_path / "says nothing" / name
    path.parent.mkdir()
    format_module(format).write(model, path, shape=shape)
    with pytest.raises(ValueError, match="takes numbers of another range. Export it again"):
        kseg.load(path)


@pytest.mark.slow
def test_int8_of_another_range_is_calibrated_in_it(tmp_path, rng):
    pytest.importorskip("ai_edge_litert")
    model = kseg.build_unet(
        2, input_shape=(32, 48, 2), value_range=(0, 4095), width=4, depth=1, compile=False
    )
    images = rng.integers(0, 4096, (4, 32, 48, 2), dtype=np.uint16)
    source = kseg.data.Source(
        name="deep",
        columns={"image": images, "label": (images[..., 0] > 2000).astype(np.uint8)},
        decode=lambda row: dict(row),
        class_names=("dark", "bright"),
        colors=COLORS[:2],
        ids=tuple("abcd"),
        value_range=(0, 4095),
    )
    options = kseg.LiteRTOptions(precision="int8")
    path = tmp_path / "deep.tflite"
    made = kseg.export(model, path, options, source=source, samples=2, max_drop=1, verbose=False)
    assert made.comparison.differing < 0.1
    assert (kseg.load(path).predict(images[0]) == kseg.predict(model, images[0])).mean() > 0.9


@one_format
def test_files_that_say_nothing(format, tmp_path, capsys):
    """Of other programs, or of before: as ever, one class a pixel, by numbers."""
    name, shape, needs = FORMATS[format]
    pytest.importorskip(needs)
    model = kseg.build_unet(3, width=4, depth=1, compile=False)
    format_module(format).write(model, tmp_path / name, shape=shape)
    loaded, photo = kseg.load(tmp_path / name), np.full((32, 48, 3), 90, np.uint8)
    assert loaded.about is None and loaded.class_names == ("0", "1", "2")
    np.testing.assert_array_equal(loaded.predict(photo), kseg.predict(model, photo))
    assert main(["info", str(tmp_path / name)]) == 0
    assert "It says nothing of itself" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["{", '{"task": "semantic"}', "[]", '{"task": 1, "class_names": 2}']
)
def test_what_is_damaged_is_said(text):
    with pytest.raises(ValueError, match="'a.onnx': what kseg wrote .* cannot be read.*Export ag"):
        from_text(text, "a.onnx")


def test_thresholds_are_of_multilabel_models_and_their_classes(tmp_path):
    model = kseg.build_unet(3, width=4, depth=1, compile=False)
    with pytest.raises(ValueError, match="threshold=0.3 is of .*multilabel models, and this one"):
        kseg.export(model, tmp_path / "a.onnx", kseg.OnnxOptions(threshold=0.3))
    with pytest.raises(ValueError, match="threshold=2.*: expected"):
        kseg.OnnxOptions(threshold=2)
    options = kseg.OnnxOptions(threshold=(0.3, 0.4))
    with pytest.raises(ValueError, match=r"threshold=\(0.3, 0.4\): expected .*3"):
        kseg.export(several(), tmp_path / "a.onnx", options)
    assert list(tmp_path.iterdir()) == []


def test_a_saved_model_is_scored_by_its_thresholds(exported, source, tmp_path):
    options = kseg.SavedModelOptions(signatures=("serving_default",), threshold=THRESHOLD)
    made = kseg.export(exported[0], tmp_path, options, source=source, samples=1, verbose=False)
    expected = kseg.evaluate(exported[0], source, threshold=THRESHOLD)["confusion"]
    assert kseg.evaluate(made.path, source)["confusion"] == expected


def info(path, capsys):
    assert main(["info", str(path)]) == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
@pytest.mark.slow
def test_info_and_repr_of_every_kind_of_artefact(exported, tmp_path, capsys, monkeypatch):
    """A table: what it is -> what `kseg info` says, and what `repr` says of what is loaded."""
    monkeypatch.chdir(tmp_path)
    semantic = kseg.build_unet(3, width=4, depth=1, name="street", compile=False)
    named = {"samples": 1, "verbose": False, "class_names": ("sky", "[b]road[/b]", "car")}
    semantic.save("street.keras")
    several().save("several.keras")
    build(2).save("objects.keras")
    kseg.export(semantic, "street.onnx", **named)
    shutil.copy(exported[1]["litert"], "street.tflite")
    shutil.copytree(exported[1]["openvino"], "openvino")
    kseg.export(semantic, "served", kseg.SavedModelOptions(max_pixels=1000), **named)
    settings = kseg.Settings(size=(16, 16), batch_size=2, epochs=1)
    shapes = kseg.data.shapes("val", size=(16, 24), count=2)
    model = kseg.build_unet(shapes.num_classes, width=2, depth=1, name="mine")
    kseg.fit(model, shapes, shapes, run="run", settings=settings)
    capsys.readouterr()
    classes, several_classes = "3 classes: sky, [b]road[/b], car", f"3 classes: {', '.join(NAMES)}"
    table = {
        "run": ("run: run, 6 classes: background, disk", "<KerasPredictor: 'run', sem"),
        "street.keras": (
            "street, semantic, 3 classes: 0, 1, 2 channels: 3 value_range: None shape: [None, None]"
            f" parameters: {semantic.count_params():,}",
            "<KerasPredictor: 'street.keras', semantic, 3 classes>",
        ),
        "several.keras": ("unet, multilabel, 3 classes", "'several.keras', multilabel, 3 classes>"),
        "objects.keras": ("instance, 2 classes", "'objects.keras', instance, 2 classes>"),
        "street.onnx": (
            f"street, semantic, {classes} format: onnx shape: [None, None] precision: float32",
            "<NetworkPredictor: 'street.onnx', semantic, 3 classes>",
        ),
        "street.tflite": (
            f"several, multilabel, {several_classes} format: litert shape: [32, 48] precision",
            "<NetworkPredictor: 'street.tflite', multilabel, 3 classes>",
        ),
        "openvino": (
            f"several, multilabel, {several_classes} format: openvino",
            "'openvino', multilabel, 3",
        ),
        "openvino/model.xml": (
            f"multilabel, {several_classes}",
            "'openvino/model.xml', multilabel, 3 classes",
        ),
        "served/street": (
            f"served/street/1: street, semantic, {classes} format: saved_model max_pixels: 1000",
            "<SavedModelPredictor: 'served/street/1', semantic, 3 classes>",
        ),
    }
    for path, (said, shown) in table.items():
        assert said in info(path, capsys), path
        assert shown in repr(kseg.load(path)), path
    assert "image_bytes string any " in info("served/street/1", capsys)
    assert main(["info", "nothing"]) == 2
    assert "neither a run folder nor a .keras file nor an export" in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_kept_is_one_for_all_formats(exported, source, tmp_path):
    """A SavedModel's kseg.json has what the others keep, and its signatures."""
    options = kseg.SavedModelOptions(signatures=("serving_default",), threshold=THRESHOLD)
    chosen = {"class_names": NAMES, "colors": COLORS, "samples": 1, "verbose": False}
    made = kseg.export(exported[0], tmp_path, options, source=source, **chosen)
    served = json.loads((made.path / "assets.extra" / "kseg.json").read_text())
    said = kseg.load(exported[1]["onnx"]).about
    said = json.loads(json.dumps(said))
    assert dataclasses.asdict(options)["threshold"] == tuple(served["options"]["threshold"])
    for name in said.keys() - {"options", "name"}:
        assert served[name] == said[name], name
    assert served.keys() - said.keys() == {"signatures"}

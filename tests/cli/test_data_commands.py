"""`kseg data` and `kseg convert`, and that every layout is taken by its folder alone."""

import json

import numpy as np
import pytest
from data.tool_sets import labelme_file, labelme_shape, photo, square, yolo_line
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.data.spec import DataSpec

pytestmark = pytest.mark.backends("torch", reason="files and words, soonest here")


@pytest.fixture
def said(capsys, monkeypatch):
    """Runs a command: its exit code, and all that it says in one line."""
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments):
        code = main([str(each) for each in arguments])
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    return run


@pytest.fixture
def road(tmp_path, write_image):
    for index in range(4):
        photo(tmp_path / "road" / f"{index}_sat.jpg", seed=index)
        mask = np.zeros((40, 60), np.uint8)
        mask[index : index + 9, :20] = 255
        write_image(f"road/{index}_mask.png", mask)
    return tmp_path / "road"


@pytest.mark.slow
def test_data_shows_what_was_understood(said, road, tmp_path):
    code, text = said("data", road, "-o", tmp_path / "new/pictures.png")
    assert code == 0
    for part in (
        f"data: folder:{road}; pairs {{}}_sat.jpg with {{}}_mask.png; classes background, object",
        "values 0, 255",
        "semantic, 2 classes",
        "train: 3 samples; all photos 40x60",
        "val: 1 samples",
        "1 ██ object 7.5%, 3 7.5%, 1",
    ):
        assert part in text, (part, text)
    with Image.open(tmp_path / "new/pictures.png") as picture:
        assert picture.width > 2 * 480 and picture.height > 3 * 320
    code, text = said("data", road, "-o", tmp_path / "new/pictures.png")
    assert code == 2 and "--overwrite" in text
    code, text = said("data", road, "-o", road / "0_sat.jpg", "--overwrite")
    assert code == 2 and "is read" in text or "are read" in text
    code, text = said("data", "shapes", "--instances", "--limit", "2")
    assert code == 0 and "train: 400 samples (2 looked at)" in text and "instance, 5 cl" in text
    name = text.rpartition(": ")[2]
    with Image.open(name) as picture:
        assert name.endswith("shapes.png") and picture.width > 900


def test_convert(said, road, tmp_path):
    code, text = said("convert", road, f"yolo:{tmp_path}/yolo")
    assert code == 0 and f"3 train, 1 val samples in {tmp_path}/yolo" in text
    back = DataSpec(str(tmp_path / "yolo")).resolved().open("val")
    original = DataSpec(str(road)).resolved().open("val")
    np.testing.assert_array_equal(back[0]["label"], original[0]["label"])
    assert back.class_names == original.class_names == ("background", "object")
    for to, part in (
        (f"yolo:{tmp_path}/yolo", "expected the name of a folder that is not there yet"),
        (f"coco:{road}/inner", "a folder outside of"),
        ("png:x", "expected one of coco:PATH, voc:PATH"),
    ):
        code, text = said("convert", road, to)
        assert code == 2 and part in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["road", "yolo"]


def of_yolo(root):
    for name in "abcd":
        photo(root / "images" / f"{name}.jpg", seed=ord(name))
        (root / "labels").mkdir(exist_ok=True)
        (root / "labels" / f"{name}.txt").write_text(yolo_line(0, square(5, 6, 20)))
    (root / "data.yaml").write_text("names: [cell]")


def of_labelme(root):
    for name in "abcd":
        photo(root / f"{name}.jpg", seed=ord(name))
        labelme_file(
            root / f"{name}.json", [labelme_shape("cell", square(5, 6, 20))], f"{name}.jpg"
        )


def of_ids(root):
    for name in "abcd":
        photo(root / "photos" / f"{name}.jpg", seed=ord(name))
        mask = Image.fromarray(np.eye(40, 60, dtype=np.uint8))
        (root / "gt").mkdir(exist_ok=True)
        mask.save(root / "gt" / f"{name}.png")


@pytest.mark.parametrize(
    "write, kind", [(of_yolo, "yolo"), (of_labelme, "labelme"), (of_ids, "folder")]
)
def test_check_and_fit_take_a_folder_alone(said, tmp_path, monkeypatch, write, kind):
    root = tmp_path / "set"
    write(root)
    code, text = said("check", root)
    assert code == 0 and f"data: {kind}:{root}" in text

    def stand_in(model, train, val, **options):
        raise ValueError(f"{train.class_names} {len(train)} {len(val)} {options['data']['spec']}")

    monkeypatch.setattr("kseg.training.fit.fit", stand_in)
    small = ["--width", 2, "--depth", 1, "--run", tmp_path / "run"]
    _, text = said("fit", root, *small)
    second = "object" if kind == "folder" else "cell"
    assert f"('background', '{second}') 3 1 {kind}:{root}" in text


def test_remedies_that_are_typed(said, road, tmp_path, write_image):
    """What the message says to type is typed, and does it."""
    import shlex

    for index in range(4):
        write_image(f"road/{index}_mask.png", np.full((40, 60), 3 * index, np.uint8))
    code, text = said("check", road)
    assert code == 1 and "The masks hold the values 0, 3, 6, 9." in text
    remedy = text.partition("Name their classes in this order: ")[2].partition(".")[0]
    assert remedy == "--classes class0,class1,class2,class3 --values 0,3,6,9"
    assert said("check", road, *shlex.split(remedy))[0] == 0
    for index in range(4):
        write_image(f"road/{index}.mask.png", np.full((40, 60), 1, np.uint8))
    code, text = said("check", road)
    ways = text.partition("Say which: ")[2].partition(" or ")[0]
    assert code == 2 and ways.startswith("--pairs ")
    assert said("check", road, *shlex.split(ways), "--classes", "a,b", "--values", "0,3")[0] == 1


def test_a_coco_file_of_one_tool_says_its_splits(said, tmp_path):
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    scenes = {split: kseg.data.shapes(split, count=2, size=(32, 32)) for split in ("train", "val")}
    kseg.data.convert(scenes, f"coco:{tmp_path}/set")
    (tmp_path / "set/annotations/panoptic_val.json").unlink()
    code, text = said("data", tmp_path / "set")
    assert code == 0 and "train: 2 samples" in text and "val:" not in text
    content = json.loads((tmp_path / "set/annotations/panoptic_train.json").read_text())
    assert content["categories"][0]["name"] == "background"

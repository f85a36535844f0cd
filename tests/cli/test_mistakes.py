"""What people type in a hurry: each is one line and an exit code, and no file of theirs changes.

A row of `MISTAKES` is the command, and words of the line on standard error. Before and after, the
files of the user's are the same byte for byte, and nothing half-written lies about.
"""

import hashlib
import shutil

import numpy as np
import pytest
from PIL import Image
from seeds import fresh_seed

import kseg
from kseg.cli.main import main
from kseg.models.saving import save_model


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A set, a run whose model is not trained, and their spoiled copies: made once."""
    root = tmp_path_factory.mktemp("mistakes")
    fresh_seed(0)
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / "set" / name).mkdir(parents=True)
    for index in range(5):
        mask = np.zeros((20, 24), np.uint8)
        mask[5:15, 3 + index : 12 + index] = 1
        image = (mask[:, :, None] * 150 + rng.integers(0, 60, (20, 24, 3))).astype(np.uint8)
        Image.fromarray(image).save(root / f"set/images/p{index}.png")
        Image.fromarray(mask).save(root / f"set/masks/p{index}.png")
    (root / "set" / "classes.txt").write_text("ground\nobject\n")
    model = kseg.build_unet(2, width=2, depth=1)
    data = {"spec": f"folder:{root / 'set'}", "classes": ["ground", "object"]}
    run = kseg.Run(root / "run", ("ground", "object"), ((0, 0, 0), (9, 0, 0)), 255, {}, data)
    run.write()
    model.optimizer.build(model.trainable_variables)
    save_model(model, run.path / "best.keras")
    save_model(model, run.path / "last.keras")
    shutil.copy(run.path / "best.keras", root / "mine.keras")
    kseg.Run(root / "started", run.class_names, run.colors, 255, {}, data).write()
    (root / "empty").mkdir()
    (root / "served" / "1").mkdir(parents=True)
    (root / "served" / "1" / "saved_model.pb").write_bytes(b"")
    (root / "text.txt").write_text("no photo")
    (root / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (root / "broken.keras").write_bytes(b"PK\x03\x04 nothing")
    spoiled(root)
    return root


def spoiled(root):
    """Copies of the set with one thing wrong in each."""

    def copy(name):
        shutil.copytree(root / "set", root / name)
        return root / name

    (copy("no_classes") / "classes.txt").unlink()
    for path in (root / "no_classes/masks").iterdir():  # of 0 and 1 all would be said
        Image.fromarray(np.asarray(Image.open(path)) * 2).save(path)
    (copy("three_classes") / "classes.txt").write_text("ground\nobject\ncar\n")
    (copy("one_class") / "classes.txt").write_text("ground\n")
    shutil.rmtree(copy("no_masks") / "masks")
    (copy("unpaired") / "masks" / "p0.png").unlink()
    for path in [*(copy("jpeg_masks") / "masks").iterdir()]:
        with Image.open(path) as mask:
            mask.save(path.with_suffix(".jpg"))
        path.unlink()
    for path in (copy("black_and_white") / "masks").iterdir():
        with Image.open(path) as mask:
            Image.fromarray(np.asarray(mask) * np.uint8(255)).save(path)
    for path in (copy("coloured") / "masks").iterdir():
        with Image.open(path) as mask:
            Image.fromarray(
                np.stack([np.asarray(mask) * np.uint8(100)] * 2 + [np.asarray(mask)], -1)
            ).save(path)
    for path in (copy("sizes") / "masks").iterdir():
        with Image.open(path) as mask:
            mask.resize((12, 10), 0).save(path)
    for path in (copy("bad_masks") / "masks").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    for path in (copy("empty_photos") / "images").iterdir():
        path.write_bytes(b"")
    copy("two")
    for name in ("coco", "two/train", "two/trainannot"):
        (root / name).mkdir()
    (root / "coco" / "annotations.json").write_text("{]")
    (root / "coco" / "images").mkdir()


FIT = "fit folder:set --run new --epochs 1 --size 16x16 --width 2 --depth 1"

# The command, and words of what is said. argparse's own refusals come with its usage.
MISTAKES = [
    # the data
    ("fit --run new", "no data"),
    ("fit empty --run new", "a folder of one of these layouts"),
    ("fit two --run new", "this could be camvid or folder"),
    ("fit folder:sett --run new", "sett' does not exist"),
    ("fit folder: --run new", "expected one of"),
    ("fit folder:text.txt --run new", "text.txt' is a file: expected the folder"),
    ("fit folder:empty --run new", "classes.txt' does not exist"),
    ("fit folder:empty --classes a,b --run new", "images' does not exist"),
    ("fit voc:set --run new", "set"),
    ("fit camvid:set --run new", "set"),
    ("fit cityscapes:set --run new", "set"),
    ("fit coco:set --run new", "annotations"),
    ("fit coco:coco --run new", "annotations.json"),
    ("fit records:set --run new", "set/train' does not exist"),
    ("fit mnist:x --run new", "expected one of"),
    ("fit shapes:big --run new", "expected shapes, or shapes:N"),
    ("fit folder:no_classes --run new", "--classes class0,class1 --values 0,2."),
    ("fit folder:no_masks --run new", "masks' does not exist"),
    ("fit folder:unpaired --run new", "1 of 5 images have no mask"),
    ("fit folder:jpeg_masks --run new", ".png"),
    ("fit folder:black_and_white --run new", "255"),
    ("fit folder:coloured --run new", "colour"),
    ("fit folder:sizes --run new", "pixels (width x height)"),
    ("fit folder:bad_masks --run new", "masks/p"),
    ("fit folder:empty_photos --run new", "images/p"),
    ("fit folder:one_class --run new", "masks/p"),
    ("fit folder:set --classes a,b,c --values 0,1 --run new", "--values 0,1: expected one for"),
    ("fit folder:set --values 0,7 --run new", "masks/p"),
    ("fit folder:set --values 0,0 --run new", "a different entry for each class"),
    ("fit folder:set --val-fraction 0 --run new", "--val-fraction 0.0: expected"),
    ("fit folder:set --val-fraction 1.5 --run new", "--val-fraction 1.5: expected"),
    # how to train
    (f"{FIT} --epochs 0", "--epochs 0: expected an integer >= 1"),
    (f"{FIT} --batch-size 0", "--batch-size 0"),
    (f"{FIT} --learning-rate -1", "--learning-rate=-1.0"),
    (f"{FIT} --learning-rate nan", "--learning-rate nan"),
    (f"{FIT} --size 0x0", "--size 0x0: expected (height, width)"),
    (f"{FIT} --size 16", "expected HEIGHTxWIDTH"),
    (f"{FIT} --size 16x", "expected HEIGHTxWIDTH"),
    (f"{FIT} --scale 2,0.5", "--scale 2.0,0.5: expected"),
    (f"{FIT} --scale 0,1", "--scale 0.0,1.0: expected"),
    (f"{FIT} --scale 2", "expected LOW,HIGH"),
    (f"{FIT} --checkpoint-steps 0", "--checkpoint-steps 0"),
    (f"{FIT} --seed x", "invalid int value"),
    (f"{FIT} --width 0", "--width 0"),
    (f"{FIT} --depth 0", "--depth 0"),
    (f"{FIT} --model unnet", "--model unnet: expected one of 'unet'"),
    (
        "fit folder:set --run new --model fcn8s --depth 3",
        "--depth 3: expected None",
    ),
    ("fit folder:set --run new --encoder resnet", "--encoder resnet: expected one of"),
    ("fit folder:set --run new --encoder torchvision:resnet18 --weights gone.pth", "gone.pth"),
    (
        "fit folder:set --run new --weights imagenet",
        "--weights imagenet: expected None",
    ),
    ("fit folder:set --run run", "--run run: expected a folder that holds no run"),
    ("fit folder:set --run text.txt", "text.txt"),
    ("fit --resume --run gone", "'gone' is no run folder"),
    ("fit --resume --run started", "before its first checkpoint"),
    ("fit folder:set --run new --backend pytorch", "invalid choice: 'pytorch'"),
    ("train folder:set", "invalid choice: 'train'"),
    # evaluate
    ("evaluate gone", "'gone' is neither a run folder nor a .keras file"),
    ("evaluate run folder:gone", "gone' does not exist"),
    ("evaluate run shapes", "2 classes but 'shapes/val' has 6"),
    ("evaluate run --split tests", "--split tests: expected"),
    ("evaluate run folder:sizes", "pixels (width x height)"),
    ("evaluate run folder:three_classes", "2 classes but"),
    ("evaluate run --json text.txt/a.json", "text.txt"),
    ("evaluate started", "before its first checkpoint"),
    ("evaluate run --detections new.json", "detections"),
    ("evaluate mine.keras", "mine.keras' does not say its data: give them"),
    ("evaluate served", "a SavedModel, but not of kseg.export"),
    # predict
    ("predict set/images/p0.png", "required: -o/--output"),
    ("predict gone.jpg -o out --run run", "gone.jpg' does not exist"),
    ("predict cut.jpg -o out --run run", "cut.jpg' cannot be read: no JPEG"),
    ("predict text.txt -o out --run run", "text.txt' cannot be read: no JPEG"),
    ("predict empty -o out --run run", "photos empty holds no file ending in"),
    ("predict set/images -o out --run gone", "'gone' is neither a run folder nor a .keras file"),
    ("predict set/images -o out --run run --min-score 0.3", "of instance models"),
    ("predict set/images -o text.txt --run run", "text.txt"),
    # export
    ("export gone models", "'gone' is no run folder"),
    ("export gone.keras models", "gone.keras"),
    ("export broken.keras models", "expected a Keras model"),
    ("export run models --name ../up", "--name ../up: expected a name"),
    ("export run models --version 0", "--version 0"),
    ("export run models --signatures tiled", "'serving_default' among them"),
    ("export run models --signatures serving_default,bytes", "can have serving_default"),
    ("export run models --resize 300,200", "--resize 300,200"),
    ("export run models --shape 8x8", "--shape 8x8 is of format"),
    ("export run models --format torch", "invalid choice: 'torch'"),
    ("export run models --samples 0", "--samples 0"),
    ("export run models --tolerance 2", "--tolerance 2.0"),
    ("export run models --data folder:bad_masks", "masks/p"),
    ("export run models --data shapes", "2 classes but 'shapes/val' has 6"),
    ("export run a.txt --format onnx", "a file ending in .onnx"),
    ("export run a.tflite --format litert", "for example, --shape 256x320, or use --format onnx"),
    ("export run a.tflite --format litert --precision int4", "--precision int4: expected one of"),
    ("export run set --format openvino", "a folder that is new or empty"),
    ("export run text.txt", "text.txt"),
    # the rest
    ("info gone", "gone"),
    ("check two", "Say which: camvid:"),
    ("check folder:gone", "gone' does not exist"),
    ("check folder:set --limit 0", "--limit 0"),
    ("check folder:set --limit ten", "invalid int value"),
    ("check folder:set --json text.txt/a.json", "text.txt"),
    ("demo --epochs 0 --run new", "--epochs 0: expected"),
    ("demo --data folder:gone --run new", "gone' does not exist"),
]

# The command, its exit code, and words: of what is said of the data, not of a mistake.
FAULTS = [
    ("check folder:bad_masks", 1, ""),
    ("check folder:empty_photos", 1, ""),
    ("check folder:unpaired", 1, ""),
    ("check folder:sizes", 1, ""),
]


def fingerprints(folder):
    """Path -> SHA-256 of every file, and each empty folder, below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def unharmed(ready, monkeypatch):
    """Works in the folder of `ready`, and sees to it that nothing is changed, lost or new there."""
    monkeypatch.chdir(ready)
    before = fingerprints(ready)
    yield
    after = fingerprints(ready)
    for path in sorted(set(after) - set(before), reverse=True):  # for the next test's sake
        (ready / path).rmdir() if (ready / path).is_dir() else (ready / path).unlink()
    assert after == before


def code_of(command):
    try:
        return main(command.split())
    except SystemExit as stopped:  # argparse
        return stopped.code


@pytest.mark.once("torch")
@pytest.mark.parametrize(("command", "words"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_one_line_and_harms_nothing(unharmed, capsys, command, words):
    assert code_of(command) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    said = [line for line in lines if line.startswith("kseg")]
    assert len(said) == 1 and words in said[0], lines
    assert lines == said or lines[0].startswith("usage: ")
    assert "Traceback" not in said[0] and "Error:" not in said[0]


@pytest.mark.once("torch")
@pytest.mark.parametrize(("command", "code", "words"), FAULTS, ids=[row[0] for row in FAULTS])
def test_faults_of_the_data_are_findings(unharmed, capsys, command, code, words):
    assert code_of(command) == code
    assert words in capsys.readouterr().err

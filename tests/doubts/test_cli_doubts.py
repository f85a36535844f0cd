"""`kseg check --model`: the page and the list of labels that a model contradicts."""

import csv
import json

import keras
import pytest
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.models.saving import save_model
from kseg.reports.doubts import framed, window

pytestmark = pytest.mark.once("torch")


def bright_or_dark():
    """A model of two classes that takes what is bright for the second."""
    image = keras.Input((None, None, 3))
    mean = keras.layers.Conv2D(2, 1, name="light")
    model = keras.Model(image, mean(image))
    kernel = [[[[-0.05, 0.05]] * 3]]
    mean.set_weights(
        [keras.ops.convert_to_numpy(kernel), keras.ops.convert_to_numpy([18.0, -18.0])]
    )
    return model


@pytest.fixture
def spoiled(pair_folders, tmp_path, monkeypatch):
    """Six samples, of which one mask is empty, and a run of a model that knows better."""
    root = pair_folders()
    with Image.open(root / "masks" / "p2.png") as mask:
        Image.new("L", mask.size).save(root / "masks" / "p2.png")
    run = kseg.Run(tmp_path / "run", ("ground", "object"), ((0, 0, 0), (0, 114, 178)), 255, {})
    run.write()
    save_model(bright_or_dark(), run.path / "best.keras")
    monkeypatch.chdir(tmp_path)
    return root


@pytest.mark.slow
def test_the_empty_mask_is_shown_and_listed(spoiled, tmp_path, capsys):
    given = ["check", "folder:set", "--model", "run"]
    assert main([*given, "--html", "page.html", "--doubts", "list.csv"]) == 0
    said = capsys.readouterr().out
    assert "ground" in said and "object" in said and "list in list.csv" in said
    with open("list.csv", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["file"] == str(spoiled / "images" / "p2.png")
    assert (row["given"], row["expected"], row["pixels"]) == ("ground", "object", "256")
    text = (tmp_path / "page.html").read_text()
    assert "Labels that the model contradicts" in text and str(tmp_path) not in text
    assert 'data-name="p2: ground → object"' in text
    assert text.count('data-layer="error" data-pane') == 1 and "images/p2.png" in text
    assert main([*given, "--doubts", "list.json"]) == 0
    written = json.loads((tmp_path / "list.json").read_text())
    assert written["found"] == 1 and written["doubts"][0]["sample"] == "p2"


def test_samples_that_cannot_be_read_are_left_out(spoiled, capsys):
    (spoiled / "images" / "p0.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    assert main(["check", "folder:set", "--model", "run", "--doubts", "list.csv"]) == 1
    assert "1 doubtful place in 5 samples" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ["--doubts", "a.csv"],
            "--doubts a.csv: expected None without a model. Give --model runs/mine too.",
        ),
        (["--model", "run", "--doubts", "a.txt"], "expected a file that ends in .json or .csv"),
        (["--model", "nowhere"], "nowhere"),
        (["--model", "run", "--doubts", "run/run.json"], "run.json"),
    ],
)
def test_what_cannot_be_is_refused_first(spoiled, capsys, more, said):
    assert main(["check", "folder:set", *more]) == 2
    error = capsys.readouterr().err
    assert said in error


def test_a_model_that_has_learned_them_is_named(spoiled, tmp_path, capsys):
    from kseg.data.spec import DataSpec
    from kseg.training.place import began_with

    train = DataSpec("folder:set").resolved().open("train")
    run = kseg.Run(
        tmp_path / "run",
        ("ground", "object"),
        ((0, 0, 0), (0, 114, 178)),
        255,
        {},
        None,
        began_with(train, False),
    )
    run.write()
    assert main(["check", "folder:set", "--model", "run"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"The model has learned from the labels of {train.name}" in said


def test_crops_show_what_is_around():
    assert window((300, 200, 320, 220), (480, 640)) == (slice(162, 258), slice(262, 358))
    assert window((0, 0, 640, 480), (480, 640)) == (slice(0, 480), slice(0, 640))
    import numpy as np

    layer = framed(np.zeros((8, 8, 4), np.uint8), (2, 2, 5, 5))
    assert tuple(layer[2, 3]) == (255, 255, 255, 255) and tuple(layer[1, 3]) == (0, 0, 0, 255)
    assert not layer[3:5, 3:5].any() and not layer[0].any()

"""The `kseg` command end to end, as a user runs it."""

import contextlib
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from kseg import models
from kseg.cli import fit
from kseg.cli.check import checked
from kseg.cli.main import main
from kseg.data.spec import DataSpec
from kseg.training.network import BUILDERS

pytestmark = pytest.mark.once("torch")


def opened(path):
    """An image read whole, its file closed."""
    with Image.open(path) as image:
        image.load()
    return image


def process(*arguments):
    """Runs the command in a process of its own, as a user does who has set no variable."""
    unset = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-m", "kseg", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**unset, "COLUMNS": "120"},
    )


@pytest.fixture
def kseg(capsys):
    """Runs the command in this process, where Keras is loaded; returns its standard output."""

    def run(*arguments, code=0):
        result = main([str(argument) for argument in arguments])
        stdout, stderr = capsys.readouterr()
        assert result == code, stdout + stderr
        return stdout if code == 0 else stderr

    return run


@pytest.fixture
def refused(kseg):
    """Runs a command that must fail with one line on standard error; returns the line."""

    def run(*arguments):
        lines = kseg(*arguments, code=2).splitlines()
        assert len(lines) == 1 and lines[0].startswith("kseg: ")
        return lines[0]

    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder trained by `kseg fit` on a folder of files, and the folder."""
    root = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / "set" / name).mkdir(parents=True)
    for index in range(8):
        mask = np.zeros((37, 50), np.uint8)
        mask[5:20, 3 + index : 25 + index] = 1
        image = mask[:, :, None] * 150 + rng.integers(0, 60, (37, 50, 3))
        Image.fromarray(image.astype(np.uint8)).save(root / f"set/images/p{index}.png")
        Image.fromarray(mask).save(root / f"set/masks/p{index}.png")
    (root / "set" / "classes.txt").write_text("ground\nobject\n")
    given = (
        *("fit", f"folder:{root}/set", "--run", root / "run", "--width", 4, "--depth", 2),
        *("--size", "32x32", "--batch-size", 2, "--epochs", 4, "--learning-rate", 0.02),
    )
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(list(map(str, given))) == 0
    assert "epoch 4/4" in said.getvalue() and "object" in said.getvalue()
    return root / "run", root / "set"


def test_fit_leaves_a_whole_run_folder(run):
    names = {path.name for path in run[0].iterdir()}
    assert names == {
        "run.json",
        "settings.toml",
        "history.csv",
        "last.keras",
        "previous.keras",
        "best.keras",
        "evaluation.json",
        "validation.png",
        "curve.png",
    }
    assert json.loads((run[0] / "evaluation.json").read_text())["mean_iou"] > 0.5


def test_a_run_is_named_after_its_network(run, monkeypatch):
    """Where nothing is said."""
    asked = []
    monkeypatch.setattr(fit, "train_and_report", lambda *given: asked.append(given[4].run))
    for options in ([], ["--model", "fcn8s"], ["--run", "mine"]):
        assert main(["fit", f"folder:{run[1]}", *options]) == 0
    assert asked == ["runs/unet", "runs/fcn8s", "mine"]


def test_the_check_shows_how_far_it_is_on_a_terminal_alone(run):
    spec = DataSpec(f"folder:{run[1]}")
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
        checked(console, spec, None)
        assert ("reading folder:" in console.file.getvalue()) is terminal


def test_evaluate_prints_a_table(kseg, run, tmp_path):
    stdout = kseg("evaluate", run[0], "--json", tmp_path / "scores.json")
    for word in ("ground", "object", "IoU", "Dice", "accuracy", "pixels", "mean"):
        assert word in stdout
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["mean_iou"] == json.loads((run[0] / "evaluation.json").read_text())["mean_iou"]


def test_evaluate_prints_more_where_asked(kseg, run, tmp_path, monkeypatch):
    pytest.importorskip("scipy", reason="surface distances need SciPy")
    monkeypatch.setenv("COLUMNS", "120")
    options = ("--boundary", "--surface", "--calibration")
    stdout = kseg("evaluate", run[0], *options, "--json", tmp_path / "scores.json")
    for word in ("boundary IoU", "boundary F1", "HD95", "ASD", "distances in pixels"):
        assert word in stdout
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert f"calibration error {scores['calibration_error']:.3f}" in stdout
    line = next(line for line in stdout.splitlines() if "object" in line).split()
    row = scores["classes"]["object"]
    keys = ("iou", "dice", "accuracy", "boundary_iou", "boundary_f1")
    assert line[1:6] == [f"{row[key]:.3f}" for key in keys]
    assert line[6:] == [f"{row['hd95']:.2f}", f"{row['asd']:.2f}", f"{row['pixels']:,}"]
    plain = kseg("evaluate", run[0])
    assert "boundary" not in plain and "HD95" not in plain and "calibration" not in plain


def test_predict_writes_masks_at_the_photos_size(kseg, run, tmp_path):
    photo = run[1] / "images" / "p0.png"
    opened(photo).convert("L").save(tmp_path / "grey.png")
    opened(photo).convert("RGBA").save(tmp_path / "alpha.png")
    opened(photo).convert("CMYK").save(tmp_path / "print.jpg")
    Image.fromarray(np.zeros((20, 30), np.uint16)).save(tmp_path / "deep.png")
    photos = [photo, *(tmp_path / n for n in ("grey.png", "alpha.png", "print.jpg", "deep.png"))]
    kseg("predict", *photos, "-o", tmp_path / "out", "--run", run[0])
    for source in photos:
        mask = opened(tmp_path / "out/masks" / f"{source.stem}.png")
        assert mask.size == opened(source).size and mask.mode == "P"
        assert set(np.unique(mask)) <= {0, 1}
        assert opened(tmp_path / "out/overlays" / f"{source.stem}.png").mode == "RGB"
    truth = np.asarray(opened(run[1] / "masks" / "p0.png"))
    assert (np.asarray(opened(tmp_path / "out/masks/p0.png")) == truth).mean() > 0.8


def test_a_keras_file_does_for_a_run(kseg, refused, run, tmp_path):
    photo, data = run[1] / "images" / "p0.png", f"folder:{run[1]}"
    for place, name in ((run[0], "run"), (run[0] / "best.keras", "file")):
        kseg("predict", photo, "-o", tmp_path / name, "--run", place)
        kseg("evaluate", place, data, "--json", tmp_path / f"{name}.json")
    masks = [np.asarray(opened(tmp_path / f"{name}/masks/p0.png")) for name in ("run", "file")]
    np.testing.assert_array_equal(*masks)
    scores = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("run", "file")]
    assert scores[0]["mean_iou"] == scores[1]["mean_iou"] > 0.5
    assert "does not say its data" in refused("evaluate", run[0] / "best.keras")


@pytest.mark.slow
@pytest.mark.backends("tensorflow", reason="which writes and runs SavedModels")
def test_an_export_does_for_a_run(kseg, refused, run, tmp_path):
    photo = run[1] / "images" / "p0.png"
    one = ("--signatures", "serving_default", "--samples", 1)
    kseg("export", run[0], tmp_path / "models", *one)
    kseg("predict", photo, "-o", tmp_path / "out", "--run", tmp_path / "models" / "unet")
    kseg("predict", photo, "-o", tmp_path / "run", "--run", run[0])
    masks = [np.asarray(opened(tmp_path / f"{name}/masks/p0.png")) for name in ("out", "run")]
    np.testing.assert_array_equal(*masks)
    for name, place in (("out", tmp_path / "models" / "unet"), ("run", run[0])):
        kseg("evaluate", place, f"folder:{run[1]}", "--json", tmp_path / f"{name}.json")
    scores = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("out", "run")]
    assert scores[0]["confusion"] == scores[1]["confusion"] and scores[0]["mean_iou"] > 0.5
    assert "does not say its data" in refused("evaluate", tmp_path / "models" / "unet")


def test_predict_takes_a_folder(kseg, run, tmp_path):
    stdout = kseg("predict", run[1] / "images", "-o", tmp_path / "out", "--run", run[0])
    assert len(list((tmp_path / "out").glob("*/*.png"))) == 16 and "8 masks" in stdout


def test_info(kseg, run):
    stdout = " ".join(kseg("info", run[0]).split())  # lines are wrapped
    assert "ground, object" in stdout and "epochs done: 4" in stdout
    stdout = kseg("info")
    assert "keras" in stdout and "backend" in stdout


def test_resume_of_a_finished_run_scores_it_again(kseg, run):
    stdout = kseg("fit", "--resume", "--run", run[0])
    assert "mean IoU" in stdout


def test_help_needs_no_keras_and_no_other_command():
    code = (
        "import contextlib, sys; from kseg.cli.main import main, parser\n"
        "with contextlib.suppress(SystemExit): main(['info', '--help'])\n"
        "print([each in sys.modules for each in ('kseg.cli.info', 'kseg.cli.fit', 'keras')])\n"
        "parser(); print('kseg.cli.fit' in sys.modules, 'keras' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.splitlines()[-2:] == ["[True, False, False]", "True False"]


class TestCheck:
    def test_a_clean_set(self, kseg, run, tmp_path):
        stdout = kseg("check", f"folder:{run[1]}", "--json", tmp_path / "out" / "check.json")
        assert "findings" not in stdout and "0 kinds of errors" in stdout
        assert "ground" in stdout and "suggested training size 32x32" in stdout
        content = json.loads((tmp_path / "out" / "check.json").read_text())
        assert content["ok"] and content["findings"] == []
        assert [source["samples"] for source in content["sources"]] == [6, 2]

    def test_objects(self, kseg, tmp_path):
        kseg("check", "shapes", "--instances", "--limit", 5, "--json", tmp_path / "c.json")
        content = json.loads((tmp_path / "c.json").read_text())
        assert [source["samples"] for source in content["sources"]] == [400, 100]
        assert {source["task"] for source in content["sources"]} == {"instance"}

    def test_faults(self, kseg, run, tmp_path):
        import shutil

        shutil.copytree(run[1], tmp_path / "[b]set")
        (tmp_path / "[b]set/images/p3.png").write_bytes(b"")
        (tmp_path / "[b]set/masks/p5.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        files = ("--json", tmp_path / "c.json", "--html", tmp_path / "c.html")
        kseg("check", f"folder:{tmp_path}/[b]set", *files, code=1)
        found = json.loads((tmp_path / "c.json").read_text())
        named = {(f["kind"], file) for f in found["findings"] for file in f["files"]}
        root = str(tmp_path / "[b]set")
        assert not found["ok"] and named == {
            ("empty_file", f"{root}/images/p3.png"),
            ("unreadable", f"{root}/masks/p5.png"),
        }
        assert "p3.png" in (tmp_path / "c.html").read_text()

    def test_black_and_white_masks_are_looked_at_to_the_last(self, kseg, run, tmp_path):
        import shutil

        shutil.copytree(run[1], tmp_path / "set")
        for path in (tmp_path / "set" / "masks").iterdir():
            Image.fromarray(np.asarray(opened(path)) * np.uint8(255)).save(path)
        kseg("check", f"folder:{tmp_path}/set", "--json", tmp_path / "c.json", code=1)
        found = json.loads((tmp_path / "c.json").read_text())["findings"]
        assert sum(len(f["files"]) for f in found if f["kind"] == "black_and_white") == 8

    def test_a_refusal_of_the_reader_is_a_finding(self, kseg, run, tmp_path):
        import shutil

        shutil.copytree(run[1], tmp_path / "set")
        (tmp_path / "set/masks/p3.png").unlink()
        kseg("check", f"folder:{tmp_path}/set", "--json", tmp_path / "c.json", code=1)
        (finding,) = json.loads((tmp_path / "c.json").read_text())["findings"]
        assert finding["kind"] == "refused" and "p3.png" in finding["message"]
        assert finding["source"] == "folder/train, folder/val"

    def test_wrong_usage(self, refused, tmp_path):
        assert "does not exist" in refused("check", f"camvid:{tmp_path}/no")
        assert "expected one of" in refused("check", "mnist")
        assert "--limit 0" in refused("check", "shapes", "--limit", 0)


class TestMistakes:
    def test_fit_without_data(self, refused, tmp_path):
        assert "camvid:PATH" in refused("fit", "--run", tmp_path / "r")

    def test_missing_folder(self, refused, tmp_path):
        assert "does not exist" in refused("fit", f"camvid:{tmp_path}/no", "--run", tmp_path / "r")
        assert not (tmp_path / "r").exists()

    def test_unknown_kind_of_data(self, refused, tmp_path):
        assert "expected one of" in refused("fit", "mnist:x", "--run", tmp_path / "r")

    def test_a_bad_file_stops_before_anything_is_written(self, refused, run, tmp_path):
        import shutil

        shutil.copytree(run[1], tmp_path / "set")
        (tmp_path / "set/images/p3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        line = refused("fit", f"folder:{tmp_path}/set", "--run", tmp_path / "r", "--width", 2)
        assert "p3.png" in line and not (tmp_path / "r").exists()

    def test_evaluate_with_other_classes(self, refused, run):
        assert "2 classes but 'shapes/val' has 6" in refused("evaluate", run[0], "shapes")

    def test_no_run(self, refused, run, tmp_path):
        assert "neither a run folder" in refused("evaluate", tmp_path)
        line = refused("predict", run[1] / "images", "-o", tmp_path / "o", "--run", tmp_path)
        assert "neither a run folder" in line and not (tmp_path / "o").exists()
        line = refused(
            *("predict", run[1] / "images", "-o", tmp_path / "o", "--run", run[0]),
            *("--min-score", 0.3),
        )
        assert "--min-score 0.3 is of instance models, and this one is semantic" in line

    def test_predict_of_a_missing_or_corrupt_photo(self, refused, run, tmp_path):
        assert "gone.jpg" in refused("predict", "gone.jpg", "-o", tmp_path / "o", "--run", run[0])
        (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
        line = refused("predict", tmp_path / "cut.jpg", "-o", tmp_path / "o", "--run", run[0])
        assert "cut.jpg" in line and "cannot be read" in line
        assert not (tmp_path / "o").exists()

    def test_fit_into_a_run_that_is_there(self, refused, run):
        line = refused("fit", f"folder:{run[1]}", "--run", run[0], "--width", 2)
        assert "a folder that holds no run" in line

    def test_no_traceback_from_the_command(self, tmp_path):
        result = process("fit", "mnist:x", "--run", tmp_path / "r")
        assert result.returncode == 2 and len(result.stderr.splitlines()) == 1

    def test_a_wrong_option_is_named(self, refused, tmp_path):
        line = refused("fit", "shapes", "--run", tmp_path / "r", "--epochs", 0)
        assert "--epochs 0" in line and not (tmp_path / "r").exists()


@pytest.mark.slow
def test_fit_takes_other_models(run, kseg, tmp_path):
    _, data = run
    kseg(
        *("fit", f"folder:{data}", "--run", tmp_path / "run", "--model", "deeplabv3plus"),
        *("--encoder", "torchvision:resnet18", "--freeze", "--width", 8),
        *("--size", "32x32", "--batch-size", 2, "--epochs", 1),
    )
    from kseg.runs.run import Run

    model = Run.open(tmp_path / "run").load_model()
    assert model.name == "deeplabv3plus"
    assert not model.get_layer("encoder").trainable
    assert model.get_layer("aspp_project_conv").filters == 8


def test_options_that_do_not_go_with_the_model_are_named(run, refused, tmp_path):
    _, data = run
    fit = ("fit", f"folder:{data}", "--run", tmp_path / "run", "--model", "fcn8s")
    assert "--depth 3: expected None, for it goes with --model unet" in refused(*fit, "--depth", 3)
    assert "it goes with --model unet" in refused(*fit, "--logits-stride", 2)
    shapes = ("fit", "shapes", "--run", tmp_path / "run", "--model", "mask_rcnn")
    assert "--width 3: expected None, for it goes with" in refused(*shapes, "--width", 3)


def test_each_setting_is_explained_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert "--epochs EPOCHS Passes over the training set. (30)" in words
    assert "--loss LOSS " in words and "In a file" not in words
    assert "--transforms NAME" in words and "Repeatable." in words


def test_fit_offers_every_network():
    names = (name for name in models.__all__ if name.startswith("build_"))
    builders = {name.removeprefix("build_") for name in names}
    assert {*BUILDERS} == builders

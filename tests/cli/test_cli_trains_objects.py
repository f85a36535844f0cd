"""A Mask R-CNN from the command line alone: trained, gone on with, scored, used, exported."""

import json
import tomllib

import pytest

import kseg
from kseg.cli.main import main
from kseg.data.writers.layouts import write_coco

pytestmark = pytest.mark.once("torch")

pytest.importorskip("pycocotools", reason="needs the extra coco")

SMALL = {
    "fpn_width": 8,
    "box_width": 8,
    "mask_width": 8,
    "anchor_sizes": [[8], [16], [32], [48], [64]],
    "train_proposals": 16,
    "predict_proposals": 8,
    "region_samples": 8,
    "mask_samples": 2,
    "detections": 4,
    "resize": [64, 96],
}


def command(*arguments, code=0):
    assert main([str(argument) for argument in arguments]) == code


@pytest.fixture
def run(tmp_path):
    """A run of `kseg fit` on a set of four scenes."""
    source = kseg.data.shapes("train", size=(64, 64), count=4, instances=True)
    write_coco(source, tmp_path / "set/images", tmp_path / "set/annotations.json")
    small = [f"--set=model.{name}={value}" for name, value in SMALL.items()]
    model = ("--model", "mask_rcnn", "--encoder", "torchvision:resnet18", "--detections", 4, *small)
    options = ("--size", "64x64", "--batch-size", 2, "--epochs", 1, "--val-fraction", 0.25)
    command("fit", f"coco:{tmp_path}/set", "--run", tmp_path / "run", *model, *options)
    return tmp_path / "run"


@pytest.mark.slow
def test_all_but_the_export(run, tmp_path, capsys):
    files = {path.name for path in run.iterdir()}
    shown = {"evaluation.json", "validation.png", "curve.png"}
    assert files >= {"last.keras", "best.keras", "history.csv", "run.json", "settings.toml", *shown}
    recipe = tomllib.loads((run / "settings.toml").read_text())
    assert recipe["model"]["name"] == "mask_rcnn" and recipe["model"]["fpn_width"] == 8
    assert (
        recipe["data"]["spec"] == f"coco:{tmp_path}/set" and recipe["data"]["val_fraction"] == 0.25
    )
    row = kseg.Run.open(run).history()[0]
    assert row["step"] == 1 and {"mask", "val_mask_ap", "val_pq"} <= row.keys()
    command("fit", "--resume", "--run", run, "--epochs", 2)
    assert [row["step"] for row in kseg.Run.open(run).history()] == [1, 2]
    assert "the schedule is rebuilt" in capsys.readouterr().out
    command("evaluate", run, "--json", tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["images"] == 1 and 0 <= scores["mask_ap"] <= 1
    photo = next((tmp_path / "set/images").iterdir())
    command("predict", photo, "-o", tmp_path / "out", "--run", run)
    assert json.loads((tmp_path / f"out/objects/{photo.stem}.json").read_text()) is not None
    command("info", run)
    assert "model.name: mask_rcnn" in capsys.readouterr().out


@pytest.mark.slow
def test_the_export(run, tmp_path):
    one = ("--signatures", "serving_default", "--samples", 1)
    command("export", run, tmp_path / "models", *one, "--min-score", 0.01)
    assert (tmp_path / "models/model/1/saved_model.pb").exists() or any(
        (tmp_path / "models").rglob("saved_model.pb")
    )

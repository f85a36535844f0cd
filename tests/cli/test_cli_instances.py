"""`kseg predict` and `kseg evaluate` on the run folder of an instance model."""

import json

import numpy as np
import pytest
from instance_model import NAMES, InstanceModel, detections, photo, source_of
from PIL import Image

from kseg.cli.main import main
from kseg.data.writers.layouts import write_coco
from kseg.runs.run import Run

pytestmark = pytest.mark.once("torch")

pytest.importorskip("pycocotools", reason="needs the extra coco")

SIZES = [(60, 80), (90, 70), (60, 80)]


@pytest.fixture
def found(rng):
    return [detections(rng, size, count) for size, count in zip(SIZES, (3, 0, 2))]


@pytest.fixture
def run(found, tmp_path, monkeypatch):
    """A run folder whose model is the one that finds what it is told to."""
    colors = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
    run = Run(tmp_path / "run", NAMES, colors, void=255, settings={})
    run.write()
    model = InstanceModel(found)
    monkeypatch.setattr(Run, "load_model", lambda self: model)
    return run.path


def kseg(*arguments, code=0):
    assert main([str(argument) for argument in arguments]) == code


def test_fit_learns_objects(tmp_path, monkeypatch):
    """A data set is opened as objects, and the run says so, which is how it goes on."""
    from kseg.data.spec import DataSpec
    from kseg.training import fit
    from kseg.training.network import build

    given = []

    def stand_in(model, train, val, *, data, settings, **options):
        given.append((build(settings, train), train, val, data))
        raise ValueError("this is enough")

    monkeypatch.setattr(fit, "fit", stand_in)
    options = ("--model", "mask_rcnn", "--encoder", "torchvision:resnet18", "--freeze")
    kseg("fit", "shapes", "--run", tmp_path / "run", *options, code=2)
    ((model, train, val, data),) = given
    assert model.task == train.task == val.task == "instance" and model.num_classes == 5
    assert not model.trunk.get_layer("encoder").trainable
    assert DataSpec.from_json(data).instances


def test_evaluate(found, run, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    write_coco(source_of(found), tmp_path / "set/images", tmp_path / "set/annotations.json")
    files = ("--json", tmp_path / "scores.json", "--results", tmp_path / "found.json")
    kseg("evaluate", run, f"coco:{tmp_path}/set", "--val-fraction", 0.5, *files)
    stdout = capsys.readouterr().out
    for word in ("cat", "objects", "box AP", "mask AP", "PQ", "AP75", "small", "detections"):
        assert word in stdout
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["images"] == 2
    assert len(json.loads((tmp_path / "found.json").read_text())) == scores["detections"]
    assert f"{scores['mask_ap']:.3f}" in stdout


def test_predict(found, run, tmp_path, write_image):
    from pycocotools import mask as mask_api

    for index, size in enumerate(SIZES):
        write_image(f"photos/p{index}.png", photo(index, size))
    options = ("-o", tmp_path / "out", "--run", run)
    kseg("predict", tmp_path / "photos", *options, "--min-score", 0)
    out = tmp_path / "out"
    names = {path.relative_to(out).as_posix() for path in out.glob("*/*")}
    kinds = ("objects/p{}.json", "overlays/p{}.png")
    assert names == {kind.format(i) for i in range(3) for kind in kinds}
    for index, (size, truth) in enumerate(zip(SIZES, found)):
        objects = json.loads((out / "objects" / f"p{index}.json").read_text())
        assert len(objects) == len(truth["scores"])
        for each, class_id, score in zip(objects, truth["classes"], truth["scores"]):
            assert each["image_id"] == f"p{index}" and each["category"] == NAMES[class_id]
            assert each["category_id"] == class_id + 1 and each["score"] == score
            assert mask_api.decode(each["segmentation"]).shape == size
        with Image.open(out / "overlays" / f"p{index}.png") as image:
            assert np.asarray(image).shape == (*size, 3)
    kseg("predict", tmp_path / "photos", *options, "--overwrite")
    sure = np.count_nonzero(found[0]["scores"] >= 0.5)
    assert len(json.loads((out / "objects/p0.json").read_text())) == sure


def test_mistakes(run, tmp_path, write_image, capsys):
    path = write_image("p.png", photo(0, SIZES[0]))
    options = ("-o", tmp_path / "out", "--run", run)
    kseg("predict", path, *options, "--min-score", 50, code=2)
    assert "--min-score 50.0: expected a number from 0 to 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    kseg("evaluate", run, "shapes", "--boundary", code=2)
    assert "--boundary is of semantic models" in capsys.readouterr().err
    kseg("evaluate", run, "shapes", code=2)
    assert "3 classes but 'shapes/val' has 5" in capsys.readouterr().err
    kseg("evaluate", run, code=2)
    assert "does not say its data" in capsys.readouterr().err

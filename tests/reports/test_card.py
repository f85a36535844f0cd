"""The card of a model: its numbers are those of kseg.evaluate, and no path is in it."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest
from instance_model import InstanceModel, detections, source_of

import kseg
from kseg.cli.main import main
from kseg.models.saving import save_model

pytestmark = pytest.mark.once("torch")


@pytest.fixture(scope="module")
def scenes():
    return kseg.data.shapes("val", size=(32, 48), count=6)


@pytest.fixture(scope="module")
def run(tmp_path_factory, scenes):
    """A run folder as `kseg.fit` leaves it, without the training."""
    path = tmp_path_factory.mktemp("runs") / "mine"
    keras.utils.set_random_seed(1)
    model = kseg.build_unet(6, width=2, depth=1, compile=False)
    settings = {"epochs": 2, "network": {"weights": "/home/ann/w/x.h5"}, "patience": None}
    data = {"spec": "shapes:32"}
    begun = {"samples": 400}
    made = kseg.Run(path, scenes.class_names, scenes.colors, scenes.void, settings, data, begun)
    made.write()
    save_model(model, path / "best.keras")
    made.write_history([{"epoch": 2, "step": 8, "loss": 1.0}])
    return path


def parts(text):
    """Heading -> what stands below it."""
    return dict(
        zip(re.findall(r"^## (.*)$", text, re.M), re.split(r"^## .*$", text, flags=re.M)[1:])
    )


def rows(part):
    """The cells of the first table of a part, its heading left out."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_it_says_what_evaluate_says(run, scenes, tmp_path):
    text = kseg.card(run, tmp_path / "a.md", data=scenes, group=r"(\d)$", bootstrap=50).read_text()
    found = parts(text)
    scores = kseg.evaluate(
        *(kseg.load(run), scenes),
        **{"boundary": True, "calibration": True, "bootstrap": 50, "group": r"(\d)$"},
        per_image=True,
    )
    low, high = scores["intervals"]["mean_iou"]
    first = rows(found["Scores"])[0]
    assert first == ["mean IoU", f"{scores['mean_iou']:.3f}", f"{low:.3f} to {high:.3f}"]
    assert "| 95% interval |" in found["Scores"] and "bootstrap: 50" in found["Scores"]
    assert [row[1] for row in rows(found["Classes"])] == [
        f"{row['iou']:.3f}".replace("nan", "–") for row in scores["classes"].values()
    ]
    groups = rows(found["Groups"])
    values = {name: row["mean_iou"] for name, row in scores["groups"].items()}
    assert [row[0] for row in groups] == sorted(values, key=values.get)
    assert groups[0][1:3] == ["1", f"{min(values.values()):.3f}"]
    assert f"Worst group: {scores['worst_group']}" in found["Limits"]
    known = {n: r["iou"] for n, r in scores["classes"].items() if r["iou"] == r["iou"]}
    weak = ", ".join(f"{n} {known[n]:.3f}" for n in sorted(known, key=lambda n: (known[n], n))[:3])
    assert f"Weakest classes, by iou: {weak}." in found["Limits"]
    low = np.quantile([each["mean_iou"] for each in scores["per_image"]], 0.1)
    assert f"One photo in ten has a mean IoU below {low:.3f}." in found["Limits"]
    assert "6 photos are few" in found["Limits"]
    assert ["photos learned from", "400"] in rows(found["Data"])
    assert ["done", "2 epochs, 8 steps"] in rows(found["Training"])
    assert [row[0] for row in rows(found["Training"])] == ["done", "epochs", "network"]
    assert f"{kseg.load(run).model.count_params():,} weights" in text
    assert "/home/ann" not in text and str(tmp_path) not in text and str(run.parent) not in text


def test_surface_distances_are_asked_for(run, scenes, tmp_path):
    given = {"data": scenes, "bootstrap": None}
    assert "HD95" not in kseg.card(run, tmp_path / "a.md", **given).read_text()
    found = parts(kseg.card(run, tmp_path / "b.md", **given, surface=True).read_text())
    scores = kseg.evaluate(kseg.load(run), scenes, surface=True)
    assert ["HD95, pixels", f"{scores['mean_hd95']:.3f}"] in rows(found["Scores"])
    assert "| HD95 | pixels |" in found["Classes"]


def test_metadata_are_yaml(run, scenes, tmp_path):
    yaml = pytest.importorskip("yaml")
    named = dataclasses.replace(scenes, name='odd: "name"')
    text = kseg.card(run, tmp_path / "a.md", data=named, bootstrap=None).read_text()
    _, head, _ = text.split("---\n", 2)
    told = yaml.safe_load(head)
    assert told["library_name"] == "keras" and told["tags"] == ["kseg", "semantic"]
    (index,) = told["model-index"]
    (result,) = index["results"]
    assert index["name"] == "mine" and result["dataset"]["name"] == 'odd: "name"'
    metrics = {each["type"]: each["value"] for each in result["metrics"]}
    scores = kseg.evaluate(kseg.load(run), scenes)
    assert metrics["mean_iou"] == pytest.approx(scores["mean_iou"], abs=1e-4)
    assert "interval" not in text  # none was asked for


def test_of_a_command_with_the_own_data_of_the_run(run, tmp_path, capsys):
    notes = tmp_path / "about.md"
    notes.write_text("## Licence\n\nNone is needed.\n")
    given = ["card", str(run), "--limit", "2", "--bootstrap", "0", "--notes", str(notes)]
    assert main(given) == 0
    text = (run / "card.md").read_text()
    assert text.endswith("## Licence\n\nNone is needed.\n") and "shapes/val, split val" in text
    assert "| photos scored | 2 of 100, evenly spread |" in text
    assert main(given) == 2 and "--overwrite" in capsys.readouterr().err
    assert main([*given, "-o", str(notes), "--overwrite"]) == 2  # it would go over what it reads
    assert "None is needed" in notes.read_text()
    assert main([*given[:-1], str(tmp_path / "none.md"), "--overwrite"]) == 2
    assert "none.md" in capsys.readouterr().err
    assert main([*given, "--split", "train", "--overwrite"]) == 0
    assert "those that it learned from" in (run / "card.md").read_text()


def test_of_objects_without_a_run(rng, tmp_path):
    pytest.importorskip("pycocotools")
    found = [detections(rng, (60, 80), count) for count in (2, 0, 3)]
    model = InstanceModel(found * 2)
    model.count_params, model.name = lambda: 7, "found"
    text = kseg.card(model, tmp_path / "cells.md", data=source_of(found), bootstrap=20).read_text()
    assert 'kseg.load("model.keras")' in text and "## Training" not in text
    assert [row[0] for row in rows(parts(text)["Scores"])][:2] == ["mask AP", "mask AP50"]
    assert json.dumps("cells") in text and "objects, each with a class" in text


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"limit": 0}, ValueError, "limit=0"),
        ({"bootstrap": 0}, ValueError, "bootstrap=0"),
        ({"notes": 3}, TypeError, "notes=3: expected text"),
        ({"split": "train"}, ValueError, "split='train': expected None with data="),
        ({"group": "("}, ValueError, r"group='\('"),
        ({"data": "shapes"}, TypeError, "data='shapes'"),
    ],
)
def test_wrong_arguments_are_refused(run, scenes, tmp_path, given, error, said):
    with pytest.raises(error, match=said):
        kseg.card(run, tmp_path / "a.md", **{"data": scenes, **given})
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_said(run, scenes, tmp_path):
    model = kseg.build_unet(6, width=2, depth=1, compile=False)
    with pytest.raises(ValueError, match="path=None: expected the name of a file"):
        kseg.card(model, data=scenes)
    with pytest.raises(ValueError, match="data=None: expected a labelled Source"):
        kseg.card(model, tmp_path / "a.md")
    with pytest.raises(FileNotFoundError, match="no run folder"):
        kseg.card(tmp_path)
    with pytest.raises(TypeError, match="model=3"):
        kseg.card(3, tmp_path / "a.md", data=scenes)

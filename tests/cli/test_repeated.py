"""`kseg evaluate --repeat` and `kseg compare`: numbers that can be had again, and two models."""

import json

import keras
import numpy as np
import pytest
from PIL import Image
from seeds import fresh_seed

import kseg
from kseg.cli.main import main
from kseg.models.saving import save_model

pytestmark = pytest.mark.once("torch")
NAMES, COLORS = ("ground", "object"), ((0, 0, 0), (0, 114, 178))


def run_at(path, seed):
    fresh_seed(seed)
    run = kseg.Run(path, NAMES, COLORS, 255, {})
    run.write()
    save_model(kseg.build_unet(2, width=2, depth=1, compile=False), path / "best.keras")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Two runs and a set, whose validation photos are of two scenes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    run_at(tmp_path / "one", 0)
    run_at(tmp_path / "two", 1)
    rng = np.random.default_rng(0)
    for index in range(6):
        for folder, pixels in (
            ("images", rng.integers(0, 256, (32, 32, 3))),
            ("masks", rng.integers(0, 2, (8, 8)).repeat(4, 0).repeat(4, 1)),
        ):
            path = tmp_path / "set" / folder / "val" / f"scene{index % 2}_{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    (tmp_path / "set/classes.txt").write_text("\n".join(NAMES))
    rows = [f"scene{index % 2}_{index}.png,{'day' if index % 2 else 'dusk'}" for index in range(6)]
    (tmp_path / "scenes.csv").write_text("\n".join(["image,group", *rows]))
    return tmp_path


@pytest.fixture
def command(place, capsys):
    def command(*arguments, code=0):
        capsys.readouterr()
        assert main([*map(str, arguments)]) == code
        return " ".join("".join(capsys.readouterr()).split())

    return command


ALL = ("--boundary", "--group", "scenes.csv", "--bootstrap", 20, "--per-image")


@pytest.mark.slow
def test_a_scoring_is_repeated(place, command, monkeypatch):
    said = command("evaluate", "one", "folder:set", *ALL, "--json", "a.json")
    scores = json.loads((place / "a.json").read_text())
    for text in ("2 groups, the worst first", "its interval", "95 % of 20 draws", "tta: none"):
        assert text in said
    worst = min(scores["per_image"], key=lambda each: each["mean_iou"])
    assert "the 6 worst of 6 images" in said and f"{worst['name']} {worst['mean_iou']:.3f}" in said
    assert f"{scores['intervals']['mean_iou'][0]:.3f} .." in said
    names = scores["protocol"]["source"]["names"]
    assert f"protocol: folder:set/val, 6 images (names {names})" in said
    assert scores["protocol"]["versions"]["keras"] == keras.__version__
    assert [each["name"] for each in scores["per_image"]][0] == "scene0_0"

    monkeypatch.chdir(place / "set")  # from anywhere
    said = command("evaluate", "--repeat", "../a.json", "--json", "../b.json")
    assert "all " in said and "numbers are equal to those of ../a.json" in said
    assert json.loads((place / "b.json").read_text()) == scores
    scores["classes"]["object"]["iou"] += 1e-9
    (place / "a.json").write_text(json.dumps(scores))
    said = command("evaluate", "--repeat", "../a.json", code=1)
    assert "1 of " in said and "classes.object.iou" in said

    said = command("evaluate", "../two", "--repeat", "../b.json", code=1)
    assert "changed: model.sha256" in said and "mean_iou" in said
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(place / "set/masks/val/scene0_0.png")
    said = command("evaluate", "--repeat", "../b.json", code=1)
    assert "changed" not in said and "numbers differ from those of ../b.json" in said


def test_what_cannot_be_repeated(place, command):
    (place / "a.json").write_text("{}")
    said = command("evaluate", "--repeat", "a.json", code=2)
    assert "--repeat a.json: expected numbers with the protocol of a kseg evaluate" in said
    said = command("evaluate", "--repeat", "none.json", code=2)
    assert "--repeat none.json: expected a file that is there" in said
    command("evaluate", "one", "folder:set", "--json", "a.json", "--overwrite")
    said = command("evaluate", "--repeat", "a.json", "--boundary", code=2)
    assert "--boundary: expected none beside --repeat a.json, which says it" in said
    said = command("evaluate", "--repeat", "a.json", "--split", "val", code=2)
    assert "--split val: expected none beside --repeat a.json" in said
    before = (place / "a.json").read_bytes()
    said = command("evaluate", "--repeat", "a.json", "--json", "a.json", "--overwrite", code=2)
    assert "which would be lost" in said and (place / "a.json").read_bytes() == before
    said = command("evaluate", code=2)
    assert "run" in said and "expected a run folder, .keras file or export" in said
    said = command("evaluate", "one", "folder:set", "--group", "nobody(.)", code=2)
    assert "--group 'nobody(.)': expected a pattern that is found in every name" in said


def test_two_models(place, command):
    said = command("compare", "one", "two", "folder:set", "--resamples", 30, "--json", "c.json")
    found = json.loads((place / "c.json").read_text())
    row = found["differences"]["mean_iou"]
    assert f"{row['difference']:+.3f}" in said and f"{row['p']:.3f}" in said
    assert f"the second is better on {found['better']} of 6 images" in said
    paths = [each["model"]["path"] for each in found["protocol"]]
    assert paths == [str(place / "one"), str(place / "two")]
    said = command("compare", "one", "nowhere", "folder:set", code=2)
    assert "nowhere" in said

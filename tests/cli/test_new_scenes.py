"""`kseg robustness` and `kseg adapt` from end to end, and the mistakes that people make."""

import json

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.models.saving import save_model

pytestmark = pytest.mark.once("torch")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A run, a set of its classes in two folders of masks and photos; the place to be in."""
    monkeypatch.chdir(tmp_path)
    run = kseg.Run(tmp_path / "run", ("ground", "object"), ((0, 0, 0), (0, 114, 178)), 255, {})
    run.write()
    save_model(kseg.build_unet(2, width=2, depth=1, compile=False), run.path / "best.keras")
    rng = np.random.default_rng(0)
    for name in ("town_1", "town_2", "wood_1"):
        for folder, pixels in (
            ("images", rng.integers(0, 256, (24, 32, 3))),
            ("masks", rng.integers(0, 2, (24, 32))),
        ):
            file = tmp_path / "set" / folder / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype("uint8")).save(file)
    (tmp_path / "set/classes.txt").write_text("ground\nobject\n")
    return tmp_path


FEW = "robustness run folder:set --corruptions fog --severities 3 --scales 0.5 --exposures none"


def test_scores_a_page_and_rows(here, capsys):
    options = ["--split", "train", "--worst", "2", "--group", "^(.*)_", "--file", "kept.json"]
    written = ["--json", "n.json", "--csv", "n.csv", "--html", "n.html"]
    assert main([*FEW.split(), *options, *written]) == 0
    numbers = json.loads((here / "n.json").read_text())
    assert set(numbers["corruptions"]) == {"fog"} and list(numbers["scales"]) == ["0.5"]
    assert set(numbers["scenes"]) <= {"town", "wood"} and numbers["scenes"]
    assert (here / "n.csv").read_text().startswith("group,name,amount,mean_iou\nclean,,,")
    assert "The worst photos" in (here / "n.html").read_text()
    assert "mean of the fifteen" in capsys.readouterr().out
    kept = (here / "kept.json").read_bytes()
    assert main([*FEW.split(), *options]) == 0  # nothing is left to do
    assert (here / "kept.json").read_bytes() == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--corruptions foggy", "--corruptions foggy: expected one of 'gaussian_noise'"),
        ("--severities 9", "--severities 9: expected an integer from 1 to 5"),
        ("--group (", "--group '(': expected a pattern"),
        ("--class-map thing=object", "--class-map thing: expected a class of"),
        ("--file n.json --json n.json", "--json n.json: expected another file than --file n.json"),
        ("--json set/classes.txt", "--json set/classes.txt: expected the name of a file"),
    ],
)
def test_mistakes(here, capsys, options, message):
    before = sorted(here.rglob("*"))
    assert main([*FEW.split(), *options.split()]) == 2
    assert message in capsys.readouterr().err
    assert sorted(here.rglob("*")) == before


def test_an_adapted_run_is_a_run(here, capsys):
    before = (here / "run/best.keras").read_bytes()
    assert main("adapt run set/images -o adapted --prior 0".split()) == 0
    assert "adapted to 3 photos: adapted" in capsys.readouterr().out
    assert (here / "run/best.keras").read_bytes() == before
    found = kseg.load("adapted")
    assert found.class_names == ("ground", "object")
    expected = kseg.adapt(here / "run", here / "set/images", prior=0)
    for a, b in zip(found.model.get_weights(), expected.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert main("adapt run set/images -o adapted.keras".split()) == 0
    for output in ("adapted", "adapted.keras", "run", "run/best.keras"):
        assert main(["adapt", "run", "set/images", "-o", output]) == 2
        assert "--output" in capsys.readouterr().err
    assert main(["adapt", "adapted.keras", "set/images", "-o", "folder"]) == 2
    assert "--output folder: expected a name that ends in .keras" in capsys.readouterr().err

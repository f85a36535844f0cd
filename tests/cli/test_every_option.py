"""Every option of every command either changes what happens or is refused; none is dropped.

The commands run up to what takes long, training, scoring and exporting, which is replaced by a
stand-in that writes down what it was given.
"""

import functools
import hashlib
import importlib
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from cli.every_option import COMMON, OPTIONS
from PIL import Image

import kseg
from kseg.cli.language import options_by_name
from kseg.cli.main import COMMANDS, main, parser
from kseg.cli.options import given
from kseg.cli.robustness import ASKED
from kseg.evaluation.table import Table
from kseg.models.saving import load_model, save_model
from kseg.shifts.results import Robustness

pytestmark = pytest.mark.once("torch")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, a set of its classes, and a file and a folder of earlier results."""
    root = tmp_path_factory.mktemp("made")
    run = kseg.Run(root / "run", ("ground", "object"), ((0, 0, 0), (0, 114, 178)), 255, {})
    run.write()
    save_model(kseg.build_unet(2, width=2, depth=1, compile=False), run.path / "best.keras")
    for index in range(6):
        for folder, pixels in (
            ("images", np.full((32, 32, 3), 40 * index)),
            ("masks", np.arange(1024).reshape(32, 32) > 300),
            ("full/masks", np.zeros((1, 1))),
        ):
            path = root / ("" if "/" in folder else "set") / folder / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    (root / "set/classes.txt").write_text("ground\nobject\n")
    (root / "old.json").write_text("{}")
    (root / "recipe.toml").write_text("[schedule]\nepochs = 7\n")
    (root / "old.keras").write_bytes(b"a model")
    (root / "old.png").write_bytes(b"a picture")
    return root


@functools.cache
def model_of(contents):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "m.keras").write_bytes(contents)
        return load_model(Path(folder) / "m.keras")


def loaded(path):
    """The model of a file, which no command here changes but `adapt`, which copies it."""
    return model_of(Path(path).read_bytes())


def said(thing):
    """What tells two arguments apart, as text."""
    if isinstance(thing, kseg.data.Source):
        return [thing.name, thing.ids, thing.class_names, int(thing[0]["label"].sum())]
    if hasattr(thing, "weights"):
        return [thing.name, thing.count_params(), [w.shape for w in thing.trainable_weights]]
    return repr(thing)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where all commands run, so that what they say is the same, and what those without said."""
    return tmp_path_factory.mktemp("place") / "here", {}


@pytest.fixture
def effect(made, place, monkeypatch, capsys):
    """Runs a command on a copy of what is made: its code, what it says, and the files there are."""
    import shutil

    def stand_in(*given, **options):
        options.pop("progress", None)
        text = [*map(said, given), {name: said(value) for name, value in options.items()}]
        raise ValueError(repr(text))

    for module, name in (
        ("kseg.training.fit", "fit"),
        ("kseg.deployment.export", "export"),
        ("kseg.reports.card", "card"),
        ("kseg.reports.run", "report"),
    ):
        monkeypatch.setattr(importlib.import_module(module), name, stand_in)

    def scored(screen, model, source, **options):
        print(said(source), {name: value for name, value in options.items() if value})
        return {"mean_iou": 1.0}

    def compared(first, second, source, **options):
        del options["progress"]
        scored(None, None, source, first=first, second=second, **options)
        return {"protocol": []}

    monkeypatch.setattr("kseg.evaluation.compare.compare", compared)
    monkeypatch.setattr("kseg.cli.compare.print_scores", lambda *given: None)
    monkeypatch.setattr("kseg.cli.demo.SCENES", "shapes:16")  # drawn at once
    monkeypatch.setattr("kseg.cli.evaluate.evaluated", scored)
    monkeypatch.setattr("kseg.cli.evaluate.print_scores", lambda *given: None)
    monkeypatch.setattr("kseg.cli.evaluate.confusion_table", lambda *given: Table(("", ""), []))

    def stood(screen, loaded, source, options):
        print(loaded.path, said(source), given(options, ASKED))
        numbers = {"score": "mean_iou", "clean": 1.0, "worst": [], "worst_scene": None}
        numbers |= {name: {} for name in ("corruptions", "scales", "exposures", "scenes")}
        return Robustness({**numbers, "protocol": {"images": [], "classes": []}}, "well", [])

    monkeypatch.setattr("kseg.cli.robustness.scored", stood)
    monkeypatch.setattr("kseg.runs.run.load_model", loaded)

    here, known = place

    def run(*arguments):
        if arguments not in known:
            known[arguments] = afresh(here, arguments)
        return known[arguments]

    def afresh(place, arguments):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(made, place)
        monkeypatch.chdir(place)
        monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
        try:
            code = main([*arguments])
        except Exception as error:
            code = type(error)
        files = {
            path.relative_to(place): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in place.rglob("*")
            if path.is_file() and path.suffix != ".html"
        } | {path.name: "page" for path in place.rglob("*.html")}
        return code, *capsys.readouterr(), files, os.environ["KERAS_BACKEND"]

    return run


# they read the set, or score it: half a second and more for each option
LONG = ("check", "plan", "convert", "data", "compare", "robustness", "card")


def cases():
    return [
        pytest.param(command, option, marks=[pytest.mark.slow] * (command in LONG))
        for command in OPTIONS
        for option in OPTIONS[command][1]
    ]


@pytest.mark.parametrize("command, option", cases())
def test_an_option_is_not_dropped(effect, command, option):
    base, beside = OPTIONS[command][0], OPTIONS[command][1][option]
    if isinstance(beside, tuple):
        base, beside = beside
    if beside[0].startswith("-"):
        beside = [*base, *beside]
    assert effect(command, *beside) != effect(command, *base)


@pytest.mark.parametrize("command", ["fit", "export"])
def test_what_all_commands_share_is_not_dropped(effect, command):
    base = [command, *OPTIONS[command][0]]
    for shared in COMMON.values():
        assert effect(*base, *shared) != effect(*base)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_looked_at(command):
    (commands,) = (each for each in parser()._actions if each.choices)
    known = options_by_name(commands.choices[command])
    assert {*known} == {*OPTIONS[command][1], *COMMON}

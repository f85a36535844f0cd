"""Every option of every command either changes what happens or is refused; none is dropped.

The commands run up to what takes long, training, scoring and exporting, which is replaced by a
stand-in that writes down what it was given.
"""

import hashlib
import importlib
import os

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.cli.language import options_by_name
from kseg.cli.main import COMMANDS, main, parser
from kseg.cli.options import given
from kseg.cli.robustness import ASKED
from kseg.evaluation.table import Table
from kseg.models.saving import save_model
from kseg.shifts.results import Robustness

MASKS = "folder:set"
SMALL = ["--width", "2", "--depth", "1"]
FIT = [MASKS, *SMALL]
# Command -> what it is given to compare with, and an option -> what is given beside it. A list of
# two: another command to compare with, and what is given beside that.
DATA = {
    "class_names": ["--classes", "rest,thing"],
    "values": ["--values", "1,0"],
    "palette": ["--palette", "0,0,0/9,9,9"],
    "void_values": ["--void", "1"],
    "mask_suffix": ["--mask-suffix", "_x"],
    "pairs": ["--pairs", "images/{}.png,masks/{}_x.png"],
    "attribute": ["--attribute", "type"],
    "order": ["--order", "rows"],
    "bits": ["--bits", "12"],
    "value_range": ["--value-range", "0,4095"],
    "bands": ["--bands", "5,1,0"],
    "clip": ["--clip"],
    "class_masks": ["--class-masks", "masks"],
    "pixel_weights": ["--pixel-weights", "weights"],
    "weight_scale": ["--weight-scale", "255"],
    "splits": ["--splits", "training,validation"],
    "val_fraction": ["--val-fraction", "0.5"],
    "multilabel": ["--multilabel"],
}
COMMON = {"backend": ["--backend", "jax"], "traceback": ["--traceback"]}
OPTIONS = {
    "demo": (
        [],
        {"data": ["--data", MASKS], "run": ["--run", "r"], "epochs": ["--epochs", "0"]},
    ),
    "check": (
        [MASKS],
        {
            "data": ["shapes"],
            "json": ["--json", "new.json"],
            "html": ["--html", "new.html"],
            "limit": ["--limit", "2"],
            "model": ["--model", "run"],
            "others": ([MASKS, "--model", "run"], ["--with", "nowhere"]),
            "doubts": ([MASKS, "--model", "run"], ["--doubts", "new.csv"]),
            "instances": ["--instances"],
            "overwrite": ([MASKS, "--json", "old.json"], ["--overwrite"]),
            **DATA,
        },
    ),
    "data": (
        [MASKS, "-o", "new.png"],
        {
            "data": ["shapes", "-o", "new.png"],
            "instances": ["--instances"],
            "output": [MASKS, "-o", "other.png"],
            "limit": ["--limit", "1"],
            "overwrite": ([MASKS, "-o", "old.png"], ["--overwrite"]),
            **DATA,
        },
    ),
    "robustness": (
        ["run", MASKS],
        {
            "run": ["m.keras", MASKS],
            "data": ["run", "shapes"],
            "split": ["--split", "train"],
            "corruptions": ["--corruptions", "fog"],
            "severities": ["--severities", "1,5"],
            "scales": ["--scales", "none"],
            "exposures": ["--exposures", "0.5"],
            "group": ["--group", "folder"],
            "class_map": ["--class-map", "thing="],
            "images": ["--images", "1"],
            "worst": ["--worst", "1"],
            "seed": ["--seed", "3"],
            "file": ["--file", "kept.json"],
            "json": ["--json", "new.json"],
            "csv": ["--csv", "new.csv"],
            "html": ["--html", "new.html"],
            "overwrite": (["run", MASKS, "--json", "old.json"], ["--overwrite"]),
            **DATA,
        },
    ),
    "adapt": (
        ["run", "set/images/1.png", "-o", "new.keras"],
        {
            "run": ["m.keras", "set/images/1.png", "-o", "new.keras"],
            "photos": ["run", "set/images", "-o", "new.keras"],
            "output": ["run", "set/images/1.png", "-o", "other.keras"],
            "prior": ["--prior", "0"],
            "passes": ["--passes", "2"],
            "overwrite": (["run", "set/images/1.png", "-o", "old.keras"], ["--overwrite"]),
        },
    ),
    "convert": (
        [MASKS, "records:new"],
        {
            "data": ["shapes", "records:new"],
            "to": [MASKS, "folder:new"],
            "instances": ["--instances"],
            **DATA,
        },
    ),
    "plan": (
        [MASKS],
        {
            "data": ["shapes"],
            "out": ["--out", "new.toml"],
            "limit": ["--limit", "1"],
            "instances": ["--instances"],
            "overwrite": ([MASKS, "--out", "old.json"], ["--overwrite"]),
            **DATA,
        },
    ),
    "fit": (
        FIT,
        {
            "data": (["shapes", *SMALL], FIT),
            "run": ["--run", "r"],
            "plan": ["--plan"],
            "resume": ["--resume"],
            "overwrite": ["--overwrite"],
            "check_data": ["--no-check"],
            "model": ["--model", "deeplabv3"],
            "encoder": ["--encoder", "none"],
            "weights": ["--weights", "none.h5"],
            "freeze": ["--freeze"],
            "width": ["--width", "4"],
            "depth": ["--depth", "2"],
            "logits_stride": ["--logits-stride", "2"],
            "detections": ["--detections", "9"],
            "size": ["--size", "32x32"],
            "scale": ["--scale", "1,1"],
            "batch_size": ["--batch-size", "2"],
            "epochs": ["--epochs", "2"],
            "settings": ["--settings", "recipe.toml"],
            "set": ["--set", "optimizer.momentum=0.5", "--optimizer", "sgd"],
            "freeze_epochs": ["--freeze-epochs", "1"],
            "start": ["--start", "m.keras"],
            "rates": ["--rates", "head=0.5"],
            "folds": ["--folds", "2"],
            "group": ([*FIT, "--folds", "2"], ["--group", "(.)$"]),
            "jitter": ["--jitter", "0.5"],
            "transforms": ["--transforms", "random_crop"],
            "loss": ["--loss", "dice"],
            "balance": ["--balance", "0"],
            "optimizer": ["--optimizer", "lion"],
            "learning_rate": ["--learning-rate", "0.1"],
            "weight_decay": ["--weight-decay", "0"],
            "decay_norms": ["--decay-norms"],
            "ema_momentum": ["--ema-momentum", "0.9"],
            "global_clipnorm": ["--global-clipnorm", "1"],
            "gradient_accumulation_steps": ["--gradient-accumulation-steps", "2"],
            "schedule": ["--schedule", "constant"],
            "warmup": ["--warmup", "0.5"],
            "end": ["--end", "0.5"],
            "power": ["--power", "2"],
            "precision": ["--precision", "mixed_bfloat16"],
            "monitor": ["--monitor", "loss"],
            "mode": ["--mode", "min"],
            "patience": ["--patience", "3"],
            "jit_compile": ["--no-jit-compile"],
            "steps_per_execution": ["--steps-per-execution", "2"],
            "remat": ["--remat"],
            "tensorboard": ["--tensorboard"],
            "devices": ["--devices", "2"],
            "checkpoint_steps": ["--checkpoint-steps", "7"],
            "validate_epochs": ["--validate-epochs", "2"],
            "seed": ["--seed", "3"],
            **DATA,
        },
    ),
    "evaluate": (
        ["run", MASKS],
        {
            "run": ["nowhere", MASKS],
            "data": ["run", "shapes"],
            "split": ["--split", "train"],
            "others": ["--with", "nowhere"],
            "resize": ["--resize", "16,16"],
            "tile": ["--tile", "128"],
            "tta": ["--tta", "horizontal"],
            "boundary": ["--boundary"],
            "surface": ["--surface"],
            "calibration": ["--calibration"],
            "per_image": ["--per-image"],
            "confusion": ["--confusion"],
            "group": ["--group", "(.)"],
            "bootstrap": ["--bootstrap", "9"],
            "confidence": ["--confidence", "0.9"],
            "repeat": ["--repeat", "old.json"],
            "detections": ["--detections", "7"],
            "overlap": ["--overlap", "0.3"],
            "min_score": ["--min-score", "0.3"],
            "max_detections": ["--max-detections", "300"],
            "results": ["--results", "new.json"],
            "threshold": ["--threshold", "0.5,0.3"],
            "json": ["--json", "new.json"],
            "overwrite": (["run", MASKS, "--json", "old.json"], ["--overwrite"]),
            **DATA,
        },
    ),
    "compare": (
        ["run", "run", MASKS],
        {
            "first": ["nowhere", "run", MASKS],
            "second": ["run", "nowhere", MASKS],
            "data": ["run", "run", "shapes"],
            "split": ["--split", "train"],
            "resize": ["--resize", "16,16"],
            "tile": ["--tile", "128"],
            "tta": ["--tta", "horizontal"],
            "boundary": ["--boundary"],
            "surface": ["--surface"],
            "threshold": ["--threshold", "0.5,0.3"],
            "detections": ["--detections", "7"],
            "overlap": ["--overlap", "0.3"],
            "min_score": ["--min-score", "0.3"],
            "max_detections": ["--max-detections", "300"],
            "resamples": ["--resamples", "9"],
            "confidence": ["--confidence", "0.9"],
            "json": ["--json", "new.json"],
            "overwrite": (["run", "run", MASKS, "--json", "old.json"], ["--overwrite"]),
            **DATA,
        },
    ),
    "card": (
        ["run", "--data", MASKS],
        {
            "run": ["nowhere", "--data", MASKS],
            "path": ["--output", "new.md"],
            "data": ["run", "--data", "shapes"],
            "split": ["--split", "train"],
            "group": ["--group", "("],
            "limit": ["--limit", "2"],
            "surface": ["--surface"],
            "bootstrap": ["--bootstrap", "0"],
            "notes": ["--notes", "old.json"],
            "overwrite": ["--overwrite"],
            **DATA,
        },
    ),
    "report": (
        ["run", "--data", MASKS],
        {
            "run": ["nowhere", "--data", MASKS],
            "other": ["run", "run", "--data", MASKS],
            "path": ["--output", "new.html"],
            "data": ["run", "--data", "shapes"],
            "split": ["--split", "train"],
            "group": ["--group", "("],
            "images": ["--images", "2"],
            "limit": ["--limit", "2"],
            "overwrite": ["--overwrite"],
            **DATA,
        },
    ),
    "predict": (
        ["set/images/0.png", "-o", "out", "--run", "run"],
        {
            "photos": ["set/images", "-o", "out", "--run", "run"],
            "output": ["--output", "other"],
            "run": ["--run", "nowhere"],
            "others": ["--with", "nowhere"],
            "min_score": ["--min-score", "0.5"],
            "bands": ["--bands", "5,1,0"],
            "clip": ["--clip"],
            "threshold": ["--threshold", "0.5"],
            "tile": ["--tile", "100"],
            "tta": ["--tta", "diagonal"],
            "probabilities": ["--probabilities"],
            "polygons": ["--polygons", "geojson"],
            "ids": ["--ids"],
            "overlays": ["--no-overlays"],
            "resume": (["set/images/0.png", "-o", "full", "--run", "run"], ["--resume"]),
            "overwrite": (["set/images/0.png", "-o", "full", "--run", "run"], ["--overwrite"]),
        },
    ),
    "export": (
        ["run", "models", "--data", MASKS],
        {
            "run": ["nowhere", "models", "--data", MASKS],
            "path": ["run", "m.onnx", "--data", MASKS],
            "others": ["--with", "m.keras"],
            "format": ["--format", "openvino"],
            "data": ["--data", "shapes"],
            "split": ["--split", "train"],
            "samples": ["--samples", "3"],
            "tolerance": ["--tolerance", "0.5"],
            "max_drop": ["--max-drop", "0.5"],
            "overwrite": ["--overwrite"],
            "name": ["--name", "street"],
            "version": ["--version", "3"],
            "signatures": ["--signatures", "serving_default"],
            "resize": ["--resize", "32,64"],
            "max_pixels": ["--max-pixels", "1000"],
            "overlay": ["--overlay", "png"],
            "tile": ["--tile", "256"],
            "overlap": ["--overlap", "64"],
            "min_score": ["--min-score", "0.3"],
            "threshold": ["--threshold", "0.3"],
            "shape": (["run", "m.onnx"], ["--shape", "32x32"]),
            "precision": (["run", "m.tflite"], ["--precision", "int8"]),
            **DATA,
        },
    ),
    "info": ([], {"run": ["run"]}),
}

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


def cases():
    return [(command, option) for command in OPTIONS for option in OPTIONS[command][1]]


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

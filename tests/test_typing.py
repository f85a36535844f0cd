"""What editors and type checkers see of kseg: every public name, its arguments and their types.

On one backend: nothing here computes.
"""

import ast
import configparser
import fnmatch
import inspect
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import kseg

pytestmark = pytest.mark.backends("torch", reason="nothing is computed")
PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "kseg"
LAZY = {
    "kseg": "_LAZY",
    **dict.fromkeys(("kseg.models", "kseg.pictures", "kseg.reports"), "_NAMES"),
}
FACES = ("data", "data.transforms", "losses", "metrics", "models", "pictures", "reports", "weights")


def face_of(package):
    """The syntax tree of a package's `__init__`."""
    return ast.parse((PROJECT / package.replace(".", "/") / "__init__.py").read_text())


def test_every_lazy_package_is_compared():
    calls = {
        ".".join(file.parent.relative_to(PROJECT).parts)
        for file in PACKAGE.rglob("__init__.py")
        if re.search(r"= lazy\(", file.read_text())
    }
    assert calls == set(LAZY)


@pytest.mark.parametrize("package", LAZY)
def test_what_is_imported_lazily_is_imported_for_editors(package):
    tree = face_of(package)
    (table,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == LAZY[package]
    )
    (block,) = (
        node.body
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    typed = {}
    for node in block:
        for alias in node.names:
            assert alias.asname == alias.name  # else it is private to type checkers
            typed[alias.name] = None if node.module == package else node.module
    assert typed == table


def public(module):
    """Functions and classes that a module offers, by name."""
    names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    things = {name: getattr(module, name) for name in names}
    return {
        name: thing
        for name, thing in things.items()
        if inspect.isfunction(thing) or inspect.isclass(thing)
    }


def functions(name, thing):
    """A function, or a class' own methods that users call: `(name, function)`."""
    if inspect.isfunction(thing):
        yield name, thing
        return
    for kind in thing.__mro__:
        if kind.__module__.startswith("kseg."):
            for key, value in vars(kind).items():
                value = getattr(value, "fget", None) or getattr(value, "__func__", value)
                told = key == "__init__" or (key[0] != "_" and value.__doc__)
                if isinstance(value, types.FunctionType) and told:
                    yield f"{name}.{key}", value


def bare(function):
    """The parameters of a function that have no type, and `return` if that has none."""
    signature = inspect.signature(function)
    missing = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is parameter.empty and name not in ("self", "cls")
    ]
    return missing + ["return"] * (signature.return_annotation is signature.empty)


INSIDE = {"score", "count", "ratio", "scored", "sets"}  # methods for whoever writes a metric


@pytest.mark.parametrize("face", ["", *FACES])
def test_everything_public_is_annotated(face):
    module = kseg
    for part in filter(None, face.split(".")):
        module = getattr(module, part)
    things = {
        name: function
        for each, thing in public(module).items()
        for name, function in functions(each, thing)
        if name.rpartition(".")[2] not in INSIDE
    }
    assert {name: bare(each) for name, each in things.items() if bare(each)} == {}
    assert len(things) >= 1


def test_what_is_no_module_is_shipped_too():
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    patterns = {package: globs.split() for package, globs in setup["options.package_data"].items()}
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py"]
    files = [path for path in files if path.suffix != ".pyc"]
    assert PACKAGE / "py.typed" in files
    for path in files:
        shipped = any(
            fnmatch.fnmatch(path.relative_to(PROJECT / package.replace(".", "/")).as_posix(), glob)
            for package, globs in patterns.items()
            if path.is_relative_to(PROJECT / package.replace(".", "/"))
            for glob in globs
        )
        assert shipped, path


def jedi_script(code):
    """What IPython, notebooks and many editors complete with, on a text."""
    import jedi

    return jedi.Script(code, project=jedi.Project(PROJECT))


def test_jedi_offers_every_public_name():
    offered = {each.name for each in jedi_script("import kseg\nkseg.").complete()}
    assert set(kseg.__all__) - offered == set()


def test_jedi_shows_arguments():
    (signature,) = jedi_script("import kseg\nkseg.build_unet(").get_signatures()
    shown = [parameter.to_string() for parameter in signature.params]
    assert shown[0] == "num_classes: int" and "depth: int=4" in shown


def test_jedi_knows_what_comes_back():
    code = 'import kseg\nreport = kseg.check(kseg.data.shapes("val"))\nreport.'
    offered = {each.name for each in jedi_script(code).complete()}
    assert {"errors", "warnings", "ok", "raise_on_errors"} <= offered


RIGHT = """
import keras
import kseg

train = kseg.data.camvid("CamVid", split="train")
reveal_type(train)  # Source
model = kseg.build_unet(num_classes=train.num_classes)
model.fit(kseg.data.batches(train, size=(224, 320), augment=True), epochs=10)
scores = kseg.evaluate(model, kseg.data.camvid("CamVid", split="val"))
reveal_type(scores)  # Scores
reveal_type(scores["mean_iou"])  # Any
mask = kseg.predict(model, "street.jpg")
reveal_type(mask)  # Any
reveal_type(model)  # Model
height, width = mask.shape
for each in kseg.predict(model, ["a.jpg", "b.jpg"]):
    print(each.max())

nuclei = kseg.data.folder("images", "labels", ["nucleus"], instances=True)
rcnn = kseg.build_mask_rcnn(num_classes=1, encoder="torchvision:resnet18", resize=None)
reveal_type(rcnn)  # MaskRCNN
rcnn.fit(kseg.data.batches(nuclei, size=(256, 256), batch_size=4, augment=True), epochs=10)
found = kseg.predict(rcnn, "cells.png")
print(found.boxes, found.classes, found.scores, found.masks)

loss = kseg.DiceLoss(ignore_class=(0, 255)) + 0.5 * kseg.FocalLoss(class_weight={1: 2.0})
reveal_type(loss)  # WeightedSum
model.compile("adam", loss, metrics=[kseg.MeanIoU(train.num_classes, classes="Car")])
transforms = [
    kseg.data.transforms.random_flip(),
    kseg.data.transforms.random_scale_crop((224, 320), scale=(0.5, 2.0)),
]
report = kseg.check(train)
reveal_type(report.errors)  # list[Finding]
settings = kseg.Settings(size=(224, 320), epochs=3)
stopping = keras.callbacks.EarlyStopping("val_mean_iou")
kseg.fit(model, train, train, run="runs/a", settings=settings, callbacks=[stopping])
history = kseg.Run.open("runs/a").history()
reveal_type(history[-1]["loss"])  # float
options = kseg.OnnxOptions(shape=(None, 320))
exported = kseg.export("runs/a", "a.onnx", options, source=train)
reveal_type(exported.comparison.differing)  # float
reveal_type(kseg.load("runs/a"))  # Predictor
reveal_type(kseg.class_weights_from(train))  # list[float] | None
kseg.weights.torchvision.load(model, "fcn.pth", head=False)
kseg.pictures.save(kseg.pictures.overlay(train[0]["image"], mask, train.colors), "a.png")
kseg.reports.write_sheet(model, train, "sheet.png")
"""

# A line, and the rule by which it is wrong.
WRONG = """
import kseg
from kseg import models

kseg.build_unet(classes=3)  # reportCallIssue
kseg.build_unett(3)  # reportAttributeAccessIssue
models.build_unett(3)  # reportAttributeAccessIssue
kseg.build_unet("3")  # reportArgumentType
kseg.Settings(epoch=3)  # reportCallIssue
kseg.data.folder("images", "masks")  # reportCallIssue
kseg.DiceLoss(reduce="images")  # reportArgumentType
kseg.OnnxOptions(height=3)  # reportCallIssue
kseg.check("photos")  # reportArgumentType
kseg.evaluate(kseg.build_unet(3), kseg.data.shapes()).mean_iou  # reportAttributeAccessIssue
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What Pyright, that of VS Code and of many a CI, says of both texts.

    `(file, line, severity, rule, message)` of each thing that it says.
    """
    folder = tmp_path_factory.mktemp("typed")
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(WRONG)
    settings = {"typeCheckingMode": "standard", "extraPaths": [str(PROJECT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", folder]
    command += ["--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=300)
    assert done.returncode == 1, done.stdout + done.stderr  # there are errors: those of WRONG
    return [
        (
            Path(each["file"]).name,
            each["range"]["start"]["line"],
            each["severity"],
            each.get("rule"),
            each["message"],
        )
        for each in json.loads(done.stdout)["generalDiagnostics"]
    ]


def test_pyright_lets_the_face_be_used_as_the_readme_does(seen):
    assert [each for each in seen if each[0] == "right.py" and each[2] != "information"] == []


def test_pyright_knows_the_types(seen):
    expected = {
        number: line.partition("  # ")[2]
        for number, line in enumerate(RIGHT.split("\n"))
        if line.startswith("reveal_type")
    }
    told = {
        number: re.fullmatch(r'Type of ".*" is "(.*)"', message)[1]
        for file, number, severity, _, message in seen
        if file == "right.py" and severity == "information"
    }
    assert told == expected


def test_pyright_refuses_wrong_calls(seen):
    expected = {
        (number, line.partition("  # ")[2])
        for number, line in enumerate(WRONG.split("\n"))
        if "  # " in line
    }
    told = {(number, rule) for file, number, _, rule, _ in seen if file == "wrong.py"}
    assert told == expected

"""What is of another type altogether is refused, and it is said what was expected."""

import re
from pathlib import Path

import numpy as np
import pytest

import kseg

pytestmark = pytest.mark.once("torch")

THINGS = {
    "int": 3,
    "None": None,
    "list": ["a"],
    "array": np.zeros((2, 3)),
    "bytes": b"run",
    "dict": {"a": 1},
}
SHOWN = {"array": "<ndarray of shape (2, 3), float64>"}


@pytest.fixture(scope="module")
def source():
    return kseg.data.shapes("val", count=2, size=(16, 16))


@pytest.fixture(scope="module")
def model():
    return kseg.build_unet(6, width=2, depth=1)


CALLS = {
    "model of fit": (
        "model",
        lambda wrong, model, source, run: kseg.fit(wrong, source, run=run),
        "a Keras model",
    ),
    "train": ("train", lambda wrong, model, source, run: kseg.fit(model, wrong, run=run), "Source"),
    "val": (
        "val",
        lambda wrong, model, source, run: kseg.fit(model, source, wrong, run=run),
        "Source",
    ),
    "run": (
        "run",
        lambda wrong, model, source, run: kseg.fit(model, source, run=wrong),
        "a folder",
    ),
    "settings": (
        "settings",
        lambda wrong, model, source, run: kseg.fit(model, source, run=run, settings=wrong),
        "kseg.Settings, the path of a file of them, or None",
    ),
    "augment": (
        "augment",
        lambda wrong, model, source, run: kseg.fit(model, source, run=run, augment=wrong),
        "a list of transforms",
    ),
    "callbacks": (
        "callbacks",
        lambda wrong, model, source, run: kseg.fit(model, source, run=run, callbacks=wrong),
        "a list of Keras callbacks",
    ),
    "path of load": ("path", lambda wrong, *_: kseg.load(wrong), "a run folder, a .keras file"),
    "path of Run.open": ("path", lambda wrong, *_: kseg.Run.open(wrong), "a run folder"),
    "model of evaluate": (
        "model",
        lambda wrong, model, source, run: kseg.evaluate(wrong, source),
        "a Keras model",
    ),
    "source of evaluate": (
        "source",
        lambda wrong, model, source, run: kseg.evaluate(model, wrong),
        "a Source, as kseg.data.folder gives one, or a tf.data.Dataset",
    ),
    "model of predict": (
        "model",
        lambda wrong, model, source, run: kseg.predict(wrong, np.zeros((16, 16, 3), np.uint8)),
        "a Keras model",
    ),
    "sources of check": ("sources", lambda wrong, *_: kseg.check(wrong), "a Source"),
    "source of batches": ("source", lambda wrong, *_: kseg.data.batches(wrong), "a Source"),
    "model of export": (
        "model",
        lambda wrong, model, source, run: kseg.export(wrong, run),
        "a Keras model, a kseg.Run, or the path",
    ),
    "path of export": (
        "path",
        lambda wrong, model, source, run: kseg.export(model, wrong),
        "a folder for SavedModels",
    ),
}
# What is right: nothing there, or lists of a user's own
RIGHT = {(name, "None") for name in ("val", "run", "settings", "augment")}
LISTS = {("augment", "list"), ("callbacks", "list")}
# paths of an ensemble, whose members are looked at one by one
ENSEMBLES = {(name, "list") for name in ("path of load", "model of evaluate", "model of export")}


def cases():
    every = {(call, thing) for call in CALLS for thing in THINGS} - RIGHT - LISTS - ENSEMBLES
    return sorted(every - {("model of fit", "None")})  # which is said in other words


@pytest.mark.parametrize("call, thing", cases())
def test_what_was_expected_is_said(model, source, tmp_path, call, thing):
    name, given, expected = CALLS[call]
    run = tmp_path / "run"
    shown = re.escape(f"{name}={SHOWN.get(thing, repr(THINGS[thing]))}: expected ")
    with pytest.raises(TypeError, match=f"^{shown}.*{re.escape(expected)}"):
        given(THINGS[thing], model, source, run)
    assert not run.exists()


@pytest.mark.parametrize("call", sorted(call for call, _ in ENSEMBLES))
def test_members_of_an_ensemble_are_named(model, source, tmp_path, call):
    _, given, _ = CALLS[call]
    with pytest.raises(FileNotFoundError, match="'a' is neither a run folder nor a .keras file"):
        given(["a", "b"], model, source, tmp_path / "run")
    with pytest.raises(TypeError, match="7: expected "):
        given([7, "b"], model, source, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_remedies_work(model, source, tmp_path):
    path = tmp_path / "mine.keras"
    model.save(path)
    photo = source[0]["image"]
    expected = kseg.predict(model, photo)
    with pytest.raises(TypeError, match=r"\.keras.*kseg.load\(path\).model"):
        kseg.predict(str(path), photo)
    np.testing.assert_array_equal(kseg.predict(kseg.load(path).model, photo), expected)
    with pytest.raises(TypeError, match="Give its .model"):
        kseg.predict(kseg.load(path), photo)
    batches = kseg.data.batches(source, size=(16, 16))
    with pytest.raises(TypeError, match=r"train=.*model.fit\(dataset\)"):
        kseg.fit(model, batches, run=tmp_path / "run")
    model.evaluate(batches, verbose=0)
    with pytest.raises(TypeError, match=r"settings=.*kseg.Settings\(\*\*settings\)"):
        kseg.fit(model, source, run=tmp_path / "run", settings={"epochs": 1})
    flip = kseg.data.transforms.random_flip()
    with pytest.raises(TypeError, match=r"augment=.*For one write augment=\[\.\.\.\]"):
        kseg.fit(model, source, run=tmp_path / "run", augment=flip)
    with pytest.raises(ValueError, match="which='first': expected one of None, 'best', 'last'"):
        kseg.Run(tmp_path, ("a",), ((0, 0, 0),), 255, {}).load_model("first")


def test_home_is_found(monkeypatch, tmp_path, model, source):
    """`~` is the user's home wherever a path is given, not a folder of that name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    settings = kseg.Settings(size=(16, 16), epochs=1, batch_size=2)
    kseg.fit(model, source, run="~/run", settings=settings)
    assert kseg.Run.open("~/run").path == tmp_path / "run" and not Path("~").exists()

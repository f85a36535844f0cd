"""Every argument of every public function and class either changes the result or is refused.

The tables in tests/every_argument hold, of each function and class, a call to compare with and for
each argument another value. What takes long, training, scoring and exporting, is done on the
smallest things there are, or up to a stand-in that writes down what it was given.
"""

import csv
import hashlib
import inspect
import re
import shutil

import keras
import numpy as np
import pytest
from every_argument import leaving, networks, sets, whole
from every_argument.inputs import Beside, Made
from every_argument.place import Asked, made_place, stand_in
from every_argument.said import said
from seeds import fresh_seed

import kseg
from kseg.data import transforms
from kseg.data.writers import layouts

pytestmark = pytest.mark.once("torch")

ENTRIES = {**networks.ENTRIES, **sets.ENTRIES, **whole.ENTRIES, **leaving.ENTRIES}
MODULES = {
    "": kseg,
    "data": kseg.data,
    "data.transforms": transforms,
    "data.writers.layouts": layouts,
    "losses": kseg.losses,
    "metrics": kseg.metrics,
    "models": kseg.models,
    "pictures": kseg.pictures,
    "reports": kseg.reports,
    "weights": kseg.weights,
    "weights.torchvision": kseg.weights.torchvision,
}


def public():
    """Qualified name -> function or class, of all that users are told of."""
    found = {}
    for prefix, module in MODULES.items():
        names = getattr(module, "__all__", None) or [name for name in dir(module) if name[0] != "_"]
        for name in names:
            thing = getattr(module, name)
            own = (getattr(thing, "__module__", None) or "").startswith("kseg")
            if module is layouts:
                own = own and thing.__module__ == layouts.__name__
            if own and callable(thing) and thing not in found.values():
                found[f"{prefix}.{name}".strip(".")] = thing
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = made_place(tmp_path_factory.mktemp("place"))
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, place)
        yield place


@pytest.fixture
def outcome(place, capsys):
    """Function of a call: what it gives or raises, notes and prints, and the files it leaves."""

    def outcome(entry, function, given):
        shutil.rmtree(place.out, ignore_errors=True)
        place.out.mkdir()
        place.notes.clear()
        keras.backend.clear_session(free_memory=False)  # names begin anew
        fresh_seed(0)
        given = {name: made(value, place) for name, value in given.items()}
        several = [made(each, place) for each in given.pop("sources", ())]
        capsys.readouterr()
        try:
            result = (entry.function or function)(*several, **given)
            result = result if entry.then is None else entry.then(result, place)
            result = "gave", said(result)
        except Asked as asked:
            result = "gave", str(asked)
        except Exception as error:
            result = "raised", f"{type(error).__name__}: {error}"
        return *result, said(list(place.notes)), printed(capsys), files(place.out)

    return outcome


def made(value, place):
    return value.make(place) if isinstance(value, Made) else value


def printed(capsys):
    """What was printed, without the speed of a training."""
    return re.sub(r"[\d.]+ images/s", "", capsys.readouterr().out)


def files(folder):
    """What files a call has left, and a checksum of each."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): checksum(path) for path in found}


def checksum(path):
    content = path.read_bytes()
    if path.suffix == ".csv":
        rows = csv.DictReader(content.decode().splitlines())
        content = repr([row | {"images_per_second": ""} for row in rows]).encode()
    if path.suffix == ".npz":  # a zip has a date
        with np.load(path) as arrays:
            content = repr({name: arrays[name].tolist() for name in arrays.files}).encode()
    return hashlib.sha256(content).hexdigest()[:16]


# trainings and whole scorings: a second or more for each of their arguments
LONG = ("Settings", "fit", "compare", "evaluate", "robustness", "report", "card", "adapt", "plan")
# and what costs half as much, whose arguments others prove too
LONG += ("data.batches", "build_fcn16s", "build_fcn32s", "build_mask_rcnn")


def cases(count):
    """(name, argument) of every row where count is 2, (name,) of every entry where it is 1."""
    named = [(name, argument) for name, entry in ENTRIES.items() for argument in entry.rows]
    return [
        pytest.param(*case[:count], marks=[pytest.mark.slow] * (case[0] in LONG))
        for case in (named if count == 2 else [(name,) for name in ENTRIES])
    ]


@pytest.mark.parametrize("name, argument", cases(2), ids=str)
def test_an_argument_is_not_dropped(place, outcome, name, argument):
    entry, function = ENTRIES[name], public()[name]
    value, given, refused = entry.rows[argument], entry.given, False
    if isinstance(value, Beside):
        value, given, refused = value.value, given | value.more, value.refused
    key = repr((name, argument)) if given is not entry.given else name
    if key not in place.known:
        place.known[key] = outcome(entry, function, given)
    before, after = place.known[key], outcome(entry, function, given | {argument: value})
    if refused:
        assert (before[0], after[0]) == ("raised", "gave"), f"{before[1]}; {after[1]}"
        return
    assert before[0] == "gave", f"the call to compare with is refused: {before[1]}"
    if after[0] == "gave":
        assert after != before
    else:
        assert argument in after[1], f"{argument} is not named in {after[1]}"


@pytest.mark.parametrize("name", cases(1))
def test_the_same_call_twice_gives_the_same(place, outcome, name):
    entry, function = ENTRIES[name], public()[name]
    first = place.known.get(name) or outcome(entry, function, entry.given)
    assert outcome(entry, function, entry.given) == first


def test_every_argument_of_every_function_has_a_row():
    arguments = {name: {*inspect.signature(thing).parameters} for name, thing in public().items()}
    assert {name: {*entry.rows} for name, entry in ENTRIES.items()} == arguments


# What would mean nothing beside the others: what is called, what it is given, and the argument
NOTHING = {
    "width of an encoder": (
        "build_unet",
        {"num_classes": 3, "encoder": networks.SMALL, "width": 8},
    ),
    "depth of an encoder": (
        "build_unet",
        {"num_classes": 3, "encoder": networks.SMALL, "depth": 2},
    ),
    "values beside colours": (
        "data.folder",
        {**sets.FOLDER, "palette": sets.COLORS, "values": (0, 1, 2)},
    ),
    "values of objects": ("data.folder", {**sets.FOLDER, **sets.ONE, "values": (1,)}),
    "void_values of objects": ("data.folder", {**sets.FOLDER, **sets.ONE, "void_values": (1,)}),
    "val_fraction of no split": ("data.folder", {**sets.FOLDER, "val_fraction": 0.5}),
    "val_fraction beside a list": (
        "data.folder",
        {
            **sets.FOLDER,
            "split": "train",
            "list_file": sets.below("set/two.txt"),
            "val_fraction": 0.5,
        },
    ),
    "year of another": ("data.voc", {"root": sets.below("VOCdevkit/VOC2012"), "year": "2007"}),
    "max_instances of labels": ("data.batches", {"source": sets.SCENES, "max_instances": 9}),
    "scale beside transforms": (
        "fit",
        {
            **whole.ENTRIES["fit"].given,
            "settings": Made(lambda place: whole.small_run(scale=(1.0, 1.0))),
        },
    ),
    "balance of objects": (
        "fit",
        {
            **whole.ENTRIES["fit"].given,
            "model": whole.FOUND,
            "train": whole.TRUTH,
            "compile": "kseg",
            "settings": Made(lambda place: whole.small_run(balance=0.1)),
        },
    ),
}


@pytest.mark.parametrize("what", NOTHING)
def test_what_would_mean_nothing_is_refused(outcome, what):
    name, given = NOTHING[what]
    result, message, *_, files = outcome(ENTRIES[name], public()[name], given)
    assert result == "raised" and message.startswith(f"ValueError: {what.split()[0]}=")
    assert files == {}

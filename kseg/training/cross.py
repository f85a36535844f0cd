"""`kseg.fit(folds=5)`: a run for each fold, which learns from all samples but those of the fold."""

import dataclasses
import json

import numpy as np

from kseg.base import arguments
from kseg.base.arguments import refused
from kseg.base.atomic import write_json
from kseg.base.outputs import check_outputs
from kseg.base.shown import counted
from kseg.base.words import say
from kseg.evaluation.evaluate import evaluate
from kseg.evaluation.groups import groups_of
from kseg.models.contract import part, task_of
from kseg.models.defaults import build_optimizer, is_own
from kseg.models.saving import load_model, save_model
from kseg.runs.folds import FILE, MODEL, SCORES, Folds
from kseg.runs.run import Run
from kseg.training import recipe
from kseg.training.place import began_with, resumed
from kseg.training.settings import from_dict, to_dict
from kseg.training.split import content_of, folds_of

# What the runs have not themselves: the folder has it
OF_FOLDS = ("folds", "group")


def is_folds(run):
    """Whether a folder is one of folds."""
    return run is not None and (arguments.path("run", run, "a folder") / FILE).is_file()


def begun(model, train, run, settings, group, data, overwrite):
    """A new folder of folds.

    Args:
        model, train, run, data, overwrite: As of `kseg.fit`.
        settings: `Settings`, with `folds`.
        group: As of `kseg.evaluate`; None for each sample by itself.

    Returns:
        `Folds`.

    Raises:
        ValueError: there are too few samples, or groups; or the folder holds something.
    """
    path = arguments.path("run", run or "runs/folds", "a folder for the runs")
    check_folder(path, train, overwrite)
    groups = list(train.ids) if group is None else groups_of(group, train)
    known = content_of(train)
    placed = folds_of(groups, known, settings.folds, settings.seed)
    folds = tuple(
        tuple(train.ids[i] for i in np.flatnonzero(placed == fold))
        for fold in range(settings.folds)
    )
    words = None if group is None else group if isinstance(group, str) else "given"
    about = (train.class_names, train.colors, train.void, to_dict(settings), data)
    own = model is not None and not is_own(model)  # then its compilation is kept with it
    opened = Folds(path, *about, began_with(train, own), folds, words)
    opened.write()
    recipe.write(path / recipe.FILE, settings, data)
    if model is not None:
        build_optimizer(model)
        save_model(model, path / MODEL)
    together = f" in {counted(len(set(groups)), 'group')}" if group is not None else ""
    sizes = ", ".join(str(len(names)) for names in folds)
    say(f"{settings.folds} folds of {counted(len(train), 'sample')}{together}: {sizes}; in {path}")
    if known is None:
        say("so many samples are drawn into folds, whatever classes they have")
    return opened


def check_folder(path, train, overwrite):
    """Raises unless new folds can begin in a folder; with `overwrite` those of before go."""
    there = (path / FILE).is_file()
    if (there or (path / "run.json").is_file()) and not overwrite:
        expected = "a folder that holds no run"
        remedy = "Choose another, resume it (resume=True), or begin it anew (overwrite=True)."
        raise refused("run", str(path), expected, remedy)
    outputs = [("run", path / name) for name in (FILE, MODEL, recipe.FILE, SCORES)]
    check_outputs(outputs, train.files(), overwrite)
    if there:
        for each in Folds.open(path).paths():
            if (each / "run.json").is_file():
                Run.open(each).clear()
        for name in (FILE, MODEL, recipe.FILE, SCORES):
            (path / name).unlink(missing_ok=True)


def gone_on(run, settings, changed, train):
    """The folds of a folder that go on, and the settings to go on with.

    Raises:
        ValueError: the data are others, or a setting is.
    """
    opened = Folds.open(run)
    own = from_dict(opened.settings)
    if began_with(train, None)["names"] != opened.begun["names"]:
        expected = f"the {opened.begun['samples']} samples that its folds are of"
        remedy = "Folds keep their samples: give those, or begin a new folder."
        raise refused("train", counted(len(train), "sample"), expected, remedy)
    return opened, resumed(settings, changed, own)


def train_all(opened, settings, train, val, fit):
    """Trains what is not trained yet, fold by fold; scores each on its fold, and all on `val`.

    Args:
        opened: `Folds`.
        settings: `Settings`.
        train: `Source` that the folds are of.
        val: `Source` that no run sees, or None.
        fit: Function of a model, or None, of two sources, a folder, settings, and whether to
            resume, that trains one run.

    Returns:
        The ensemble of the best models.
    """
    places = {name: place for place, name in enumerate(train.ids)}
    scores, plain = [], dataclasses.replace(settings, **dict.fromkeys(OF_FOLDS))
    for number, (names, path) in enumerate(zip(opened.folds, opened.paths()), 1):
        held = np.array([places[name] for name in names])
        rest = np.setdiff1d(np.arange(len(train)), held)
        learned = train.subset(rest, name=f"{train.name}, all but fold {number}")
        judged = train.subset(held, name=f"{train.name}, fold {number}")
        own = dataclasses.replace(plain, seed=settings.seed + number - 1)
        if (kept := _kept(path, own)) is None:
            say(f"fold {number} of {len(opened.folds)}")
            _one(opened, path, own, learned, judged, fit)
            kept = dict(evaluate(Run.open(path).load_model(), judged))
            kept["epochs"] = settings.epochs
            write_json(path / SCORES, kept)
        scores.append(json.loads((path / SCORES).read_text()))
        plain = dataclasses.replace(plain, size=from_dict(Run.open(path).settings).size)
    model = opened.load_model()
    found = summary(scores, part("kseg.training", task_of(model)).VALIDATED)
    if val is not None:
        found["ensemble"] = dict(evaluate(model, val))
    write_json(opened.path / SCORES, found)
    print_summary(found)
    return model


def _kept(path, settings):
    """The scores of a fold that is trained as it is to be; else None."""
    file = path / SCORES
    kept = json.loads(file.read_text()) if file.is_file() else {}
    return kept if kept.get("epochs") == settings.epochs else None


def _one(opened, path, settings, learned, judged, fit):
    """Trains the run of one fold, from where it stands."""
    import keras

    trained = (path / "run.json").is_file() and Run.open(path).checkpoint() is not None
    if trained:
        fit(None, learned, judged, path, settings, True)
        return
    keras.utils.set_random_seed(settings.seed)
    kept, model = opened.path / MODEL, None
    if kept.is_file():
        model = load_model(kept, compile=opened.begun["own"])
    fit(model, learned, judged, path, settings, False)


def summary(scores, names):
    """What became of all folds: each score of each, its mean, and the standard deviation of them.

    Args:
        scores: What `kseg.evaluate` gives of each.
        names: Of the scores.

    Returns:
        dict of `"folds"`, `"mean"`, `"std"` (of a sample, over the folds but one), and `"classes"`,
        the same of each class; NaN is left out.
    """
    found = {"folds": [{name: each[name] for name in ("images", *names)} for each in scores]}
    found |= _spread([{name: each[name] for name in names} for each in scores])
    classes = {}
    for name in scores[0]["classes"]:
        rows = [each["classes"][name] for each in scores]
        numbers = [key for key, value in rows[0].items() if isinstance(value, float)]
        classes[name] = _spread([{key: row[key] for key in numbers} for row in rows])
    return {**found, "classes": classes}


def _spread(rows):
    """Mean and standard deviation of each number of several rows."""
    mean, std = {}, {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows], float)
        values = values[~np.isnan(values)]
        mean[name] = float(values.mean()) if len(values) else float("nan")
        std[name] = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return {"mean": mean, "std": std}


def print_summary(found):
    """Says what became of all folds."""
    for name, mean in found["mean"].items():
        each = ", ".join(f"{fold[name]:.3f}" for fold in found["folds"])
        say(f"{name} {mean:.3f} ± {found['std'][name]:.3f} over the folds ({each})")
    if "ensemble" in found:
        name = next(iter(found["mean"]))
        say(f"{name} of the ensemble, on what no fold has seen: {found['ensemble'][name]:.3f}")

"""`kseg.fit`: settings -> a trained model in a run folder, resumable from any step.

Every random number follows from the seed and the global step, or from the state of a generator that
is saved with the weights. So a run that was stopped, or killed, goes on from its last checkpoint as
if nothing had happened.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kseg.base import arguments
from kseg.base.arguments import refused
from kseg.base.atomic import Unwritten
from kseg.base.types import Model, PathLike, Size, Transform
from kseg.base.words import say
from kseg.data.bad_files import naming_bad_files
from kseg.data.cache import cached
from kseg.data.pipeline import steps_per_epoch
from kseg.data.source import Source
from kseg.models.contract import check_source, contract, part
from kseg.models.defaults import compile_own, is_own
from kseg.runs.folds import Folds
from kseg.runs.run import Run
from kseg.training import begin, cross, optimizers, recipe
from kseg.training.augmentation import augmentation
from kseg.training.devices import started
from kseg.training.devices.finding import asked_for, check_batch, opened
from kseg.training.devices.started import first_speaks
from kseg.training.learn import learn
from kseg.training.place import (
    Place,
    began_with,
    loaded,
    optimizer_of,
    resumed,
    taken_up,
)
from kseg.training.settings import OF_AUGMENT, Settings, check_unused, from_dict, to_dict
from kseg.training.start import EXPECTED as START
from kseg.training.start import opened as opened_start
from kseg.training.start import take
from kseg.training.watch import Watch

if TYPE_CHECKING:
    import keras


def fit(
    model: Model | None,
    train: Source,
    val: Source | None = None,
    *,
    run: PathLike | None = None,
    settings: Settings | PathLike | Mapping[str, Any] | None = None,
    size: Size | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    learning_rate: float | None = None,
    devices: int | Literal["all"] | None = None,
    start: PathLike | None = None,
    folds: int | None = None,
    group: str | PathLike | Mapping[str, str] | Callable[[str], str] | None = None,
    resume: bool = False,
    compile: Literal["own", "kseg"] | None = None,
    data: Mapping[str, Any] | None = None,
    augment: Sequence[Transform] | None = None,
    cache: PathLike | None = None,
    check_data: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    overwrite: bool = False,
) -> Model:
    """Trains a model, of whatever task, and keeps everything in a run folder.

    Args:
        model: A model of a kseg builder. None to build what the settings ask for (a U-Net, or of
            objects a Mask R-CNN, if they name none), or when resuming.
        train: `Source` to learn from.
        val: `Source` to validate on after each epoch, at each photo's own size; None for none.
            `best.keras` is the model at its best mean IoU; of an instance model, mask AP; or by
            `Settings.monitor`.
        run: Folder for the run; must not hold one already, unless resuming or with `overwrite`.
            None for `runs/MODEL`, or the first of `runs/MODEL-2`, ... that is free.
        settings: `Settings`; the path of a file of them, as `settings.toml` of a run, or of the
            run; a dict of their groups; or None for the defaults, or for those of the run when
            resuming, when a file or a dict may name but a few. A run that is resumed keeps its own
            but for `epochs`, `patience`,
            `checkpoint_steps`, `validate_epochs`, `remat`, `tensorboard` and `devices`. With other
            `epochs`, or other data, the learning rate follows the schedule of a run of that many
            steps from there on, which is said: in a run that had ended, it rises again.
        size, batch_size, epochs, learning_rate, devices, start: These of the settings, in place of
            those. With `start` and a model that is given, its weights are taken as far as they fit.
        folds: Into how many parts `train` is divided for cross-validation: a run is trained for
            each, from all samples but those of the part, by which it is validated; `val` then is
            what none of them sees, and scores their ensemble. Where a model is given, each begins
            from it. Classes are spread evenly. Default None, as `group`: of the settings, one run.
        group: With folds: what samples stay together, as of `kseg.evaluate`.
        resume: Whether to go on with the run from its last checkpoint; of folds, with the fold
            that was stopped, and then with the others.
        compile: `"kseg"` to compile the model by the settings, with kseg's choice of optimizer,
            schedule, loss and metrics; `"own"` keeps the model's. Default None: a model that you
            have compiled yourself keeps that, and a line says so.
        data: Optional JSON-able note of how the sources were made, kept in `run.json`.
        augment: Transforms of `kseg.data.transforms` for training; None for those of the settings:
            scale jitter and crop, flip and colour jitter. The last shape must be `settings.size`.
            Pass the same when resuming.
        cache: Where to keep decoded photos, as in `kseg.data.batches`.
        check_data: Whether to refuse data in which `kseg.check` finds errors; its warnings are
            printed, at most ten lines. False prints the errors too and trains in spite of them; a
            file that cannot be read still stops the training.
        callbacks: Further Keras callbacks. What those of Keras remember is kept for resuming: pass
            them again then.
        overwrite: Whether a new run may take the place of the run that the folder holds, whose
            files are removed when the first step is due. Defaults to False.

    Returns:
        The trained `keras.Model`, as at the end; the best one is `best.keras` in the run folder.
        Of folds the `kseg.ensemble` of the best ones, which `kseg.load(run)` gives too;
        `evaluation.json` has the scores of each, their mean and standard deviation.

    Raises:
        TypeError: the model, a source, the folder, the settings, the transforms or the callbacks
            are something else.
        ValueError: classes do not match, a sample is bad, the loss is no longer finite, a setting
            cannot be followed, the folder holds a run already, or its checkpoints are damaged.
        OSError: a checkpoint cannot be written, as on a full disk; the last one is whole.
        ImportError: an instance model is to be validated and pycocotools is not installed.
        KeyboardInterrupt: Ctrl-C; the last step is saved and the run can be resumed. A second
            Ctrl-C stops at once.

    Example:

    >>> train, val = kseg.data.shapes("train", count=16), kseg.data.shapes("val", count=4)
    >>> model = kseg.build_unet(train.num_classes, width=4, depth=2)
    >>> model = kseg.fit(model, train, val, run="runs/shapes", size=(64, 64), epochs=1)
    epoch 1/1 ...
    >>> kseg.Run.open("runs/shapes").history()[-1]["step"]
    2.0
    """
    begin.check_types(train, val, augment, callbacks)
    settings, named = recipe.opened(settings, resume)
    shorthand = {
        "size": size,
        "batch_size": batch_size,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "devices": devices,
        "start": None if start is None else str(arguments.path("start", start, START)),
        "folds": folds,
    }
    changed = {name: value for name, value in shorthand.items() if value is not None}
    changed = {**named, **changed}
    sources = [train] if val is None or val is train else [train, val]
    of_folds = changed.get("folds") or (settings is not None and settings.folds)
    if of_folds and not resume or cross.is_folds(run) and resume:
        kept = {"augment": augment, "cache": cache, "check_data": check_data, "compile": compile}
        more = {"callbacks": callbacks, "data": data, "overwrite": overwrite}
        return _folds(model, train, val, run, settings, changed, group, resume, kept, more)
    if group is not None:
        raise refused("group", group, "None without folds", "Give folds=5, say.")
    if not resume:
        settings = dataclasses.replace(settings or Settings(), **changed)
    team = opened(asked_for(settings, changed, run if resume else None), model)

    def trained():
        if resume:
            job = _resumed(model, run, settings, changed, train, compile, data, team)
        else:
            job = _begun(model, run, settings, sources, compile, overwrite)
        return _trained(
            job, team, sources, val, resume, data, augment, cache, check_data, callbacks
        )

    with team.scope(), first_speaks(team.first):
        return trained()


def _trained(job, team, sources, val, resume, data, augment, cache, check_data, callbacks):
    """The model of a job, trained to the end of its run; arguments as of `fit`."""
    train = sources[0]
    model, settings, run, place, here = job.model, job.settings, job.run, job.place, job.here
    check_batch(team, settings.batch_size)
    learning = part("kseg.training", model)
    for source in sources:
        check_source(model, source)
    learning.check(model, val, settings)
    if augment is not None:
        check_unused(settings, OF_AUGMENT, "beside augment=")
    watch = Watch(settings, contract(model).score, val is not None)
    watch.check(settings, learning, train, here, val is not None)
    report = begin.checked(sources, check_data)
    if not resume:
        job = _planned(job, learning, train, data, report)
        settings, run, place = job.settings, job.run, job.place
    elif place.epoch >= settings.epochs or place.ended:
        model.optimizer.finalize_variable_values(model.trainable_variables)  # as Keras' fit ends
        return model
    if augment is None:
        augment = augmentation(settings, train.void)
    learned = cached(train, cache) if cache is not None else train
    team.wait()  # nobody reads any more what is now written
    if team.first:
        if not resume:
            run.clear()
        run.write()
        recipe.write(run.path / recipe.FILE, settings, run.data)
    try:
        with naming_bad_files(train):
            stopped = learn(
                model, learned, augment, settings, run, val, learning, watch, place, callbacks, team
            )
    except Unwritten as error:
        if run.is_trained():
            error.remedy = (
                "The last checkpoint is whole: go on from it with resume=True (`kseg fit --resume "
                f"--run {run.path}`)."
            )
        raise
    finally:
        if team.first:
            run.discard()  # where nothing was kept
    if stopped:
        raise KeyboardInterrupt
    team.wait()
    return model


def _folds(model, train, val, run, settings, changed, group, resume, kept, more):
    """Cross-validated training, of a new folder or of one that goes on; arguments as of `fit`."""
    if (told := started.asked()) is not None:
        remedy = "Train folds in one process, which may have several devices; or a run alone."
        raise refused(
            "folds",
            changed.get("folds", "those of the run"),
            f"none in {told[1]} processes",
            remedy,
        )
    if resume:
        if group is not None and str(group) != Folds.open(run).group:
            remedy = "Folds keep their samples: leave it out, or begin a new folder."
            raise refused("group", group, "None with resume=True", remedy)
        opened, settings = cross.gone_on(run, settings, changed, train)
    else:
        settings = dataclasses.replace(settings or Settings(), **changed)
        chosen = settings.group if group is None else group
        if isinstance(chosen, (str, os.PathLike)):
            settings = dataclasses.replace(settings, group=str(chosen))
        begin.check_named(settings)
        begun = (model, train, run, settings, chosen, more["data"], more["overwrite"])
        opened = cross.begun(*begun)

    def one(model, learned, judged, path, settings, resume):
        own = {**kept, "compile": None if resume else kept["compile"]}
        # callbacks remember: each run begins with those that have seen nothing
        callbacks = [copy.copy(each) for each in more["callbacks"]]
        given = {"run": path, "settings": settings, "resume": resume, "callbacks": callbacks}
        fit(model, learned, judged, **given, **own)

    try:
        return cross.train_all(opened, settings, train, val, one)
    except Unwritten as error:
        error.remedy = (
            "What was trained before is whole: go on with resume=True (`kseg fit --resume --run "
            f"{opened.path}`)."
        )
        raise


@dataclasses.dataclass
class Job:
    """What is trained, how, where, and from which step on.

    Args:
        model: The model.
        settings: `Settings`.
        run: `Run`; of a new one the path.
        place: `Place`; None until the run is planned.
        here: Whether kseg compiles the model.
        built: Whether the settings have built it.
        taken: What was taken of `settings.start`; None where there is none.
    """

    model: Any
    settings: Settings
    run: Any
    place: Place | None = None
    here: bool = True
    built: bool = False
    taken: dict | None = None


def _begun(model, run, settings, sources, compile, overwrite):
    """A new run, up to what the data have to say."""
    begin.check_named(settings)
    other = opened_start(settings.start)
    if run is not None:
        run = arguments.path("run", run, "a folder for the run")
        begin.check_folder(run, overwrite, sources, other.files() if other else ())
    built = model is None
    model, settings = begin.new_model(model, settings, sources[0], other)
    taken = take(model, other, sources[0].class_names) if other else None
    if run is None:
        run = _free(Path("runs") / model.name)
        say(f"the run is kept in {str(run)!r}")
    here = begin.compiled_here(model, compile, settings)
    begin.check_frozen(model, settings)
    optimizers.check_rates(settings, model)
    return Job(model, settings, run, None, here, built, taken)


def _planned(job, learning, train, data, report):
    """A new run that knows its data: compiled, with all settings as they are in effect."""
    model, settings = job.model, begin.sized(job.settings, job.model, report)
    per_epoch = steps_per_epoch(train, settings.batch_size)
    begin.check_steps(settings, per_epoch)
    steps = per_epoch * settings.epochs
    if job.here:
        made = learning.compiled(model, settings, train, report.sources[0].pixels)
        compile_own(
            model,
            optimizer=optimizer_of(model, settings, steps),
            jit_compile="auto" if settings.jit_compile is None else settings.jit_compile,
            steps_per_execution=settings.steps_per_execution,
            **made,
        )
        settings = begin.effective(settings, model, job.built, True, "loss" in made)
    else:
        settings = begin.effective(settings, model, job.built, False, False)
    begun = began_with(train, not job.here)
    if job.taken is not None:
        begun["start"] = job.taken
    names, colors = train.class_names, train.colors
    planned = Run(job.run, names, colors, train.void, to_dict(settings), data, begun)
    return dataclasses.replace(job, settings=settings, run=planned, place=Place(per_epoch))


def _resumed(model, run, settings, changed, train, compile, data, team):
    """A run that goes on; what is given beside must be the run's own, or is said to be another."""
    if run is None:
        raise refused("run", run, "the folder of the run that is to go on")
    known = Run.open(arguments.path("run", run, "a folder for the run"))
    if model is not None:
        raise ValueError("resume=True takes the model from the run: pass model=None.")
    if compile is not None:
        expected = "None with resume=True: a run keeps its compilation"
        raise refused("compile", compile, expected, "Leave it out, or begin a new run.")
    if train.class_names != known.class_names:
        expected = f"a source of the run's classes, {known.class_names}"
        raise refused("train", train.class_names, expected, "Give the data of the run.")
    if data is not None and json.loads(json.dumps(data)) != known.data:
        expected = f"{known.data!r}, with which the run was begun"
        raise refused("data", data, expected, "Leave it out, or begin a new run.")
    settings = resumed(settings, changed, from_dict(known.settings))
    model, file = loaded(known)
    check_source(model, train)
    known.say_if_of_others()
    if team.first:
        known.sweep()
    per_epoch = steps_per_epoch(train, settings.batch_size)
    begin.check_steps(settings, per_epoch)
    place = taken_up(model, file, known, settings, train, per_epoch)
    own = known.begun.get("own", not is_own(model))
    begun = {**known.begun, **began_with(train, own)}
    known = dataclasses.replace(known, settings=to_dict(settings), begun=begun)
    return Job(model, settings, known, place, not own)


def _free(path):
    """The path, or the first of `path-2`, `path-3`, ... where nothing is."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free

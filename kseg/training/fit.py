"""`kseg.fit`: settings -> a trained model in a run folder, resumable from any step.

Every random number follows from the seed and the global step, and the step is the optimizer's own
counter, saved with the weights. So a run that was stopped, or killed, goes on from its last
checkpoint as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kseg.base import arguments
from kseg.base.arguments import choice, integer, refused
from kseg.base.atomic import Unwritten
from kseg.base.outputs import check_outputs
from kseg.base.types import Model, PathLike, Transform
from kseg.base.words import say
from kseg.checks.check import check
from kseg.data.bad_files import naming_bad_files
from kseg.data.cache import cached
from kseg.data.pipeline import batches, steps_per_epoch
from kseg.data.source import Source, check_is_source
from kseg.models.contract import check_source, contract, fixed_size, part
from kseg.models.defaults import build_optimizer, is_own
from kseg.models.inputs import for_model
from kseg.runs.run import KEPT, SHOWN, Run
from kseg.training.augmentation import augmentation
from kseg.training.callbacks import RunRecorder, stopping_gently
from kseg.training.progress import progress
from kseg.training.schedule import schedule
from kseg.training.settings import (
    OF_AUGMENT,
    OF_COMPILE,
    Settings,
    check_unused,
    from_dict,
    resumed,
    to_dict,
)

if TYPE_CHECKING:
    import keras

MOST_SAID = 10  # lines of warnings of the check
FALLBACK_SIZE = (256, 256)  # where no photo could be read
CHECKED_SAMPLES = 1000  # read before the first step; what lies beyond is named when it is met


def fit(
    model: Model | None,
    train: Source,
    val: Source | None = None,
    *,
    run: PathLike,
    settings: Settings | None = None,
    resume: bool = False,
    compile: bool | None = None,
    data: Mapping[str, Any] | None = None,
    augment: Sequence[Transform] | None = None,
    cache: PathLike | None = None,
    check_data: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    overwrite: bool = False,
) -> Model:
    """Trains a model and keeps everything in a run folder.

    Args:
        model: A model of a kseg builder. None when resuming.
        train: `Source` to learn from.
        val: `Source` to validate on after each epoch, at each photo's own size; None for none.
            `best.keras` is the model at its best mean IoU; of an instance model, mask AP.
        run: Folder for the run; must not hold one already, unless resuming or with `overwrite`.
        settings: `Settings`; None for the defaults, or for those of the run when resuming. A run
            that is resumed keeps its own but for `epochs`, `checkpoint_steps` and
            `validate_epochs`. With other `epochs` the learning rate follows the schedule of a run
            of that many from there on: in a run that had ended, it rises again.
        resume: Whether to go on with the run from its last checkpoint.
        compile: Whether to compile the model by the settings, with kseg's optimizer, schedule, loss
            and metrics; False keeps the model's own. Default None: a model that you have compiled
            yourself keeps that, and a line says so.
        data: Optional JSON-able note of how the sources were made, kept in `run.json`.
        augment: Transforms of `kseg.data.transforms` for training; None for scale jitter and crop,
            flip and colour jitter by the settings. The last shape must be `settings.size`. Pass the
            same when resuming.
        cache: Where to keep decoded photos, as in `kseg.data.batches`.
        check_data: Whether to refuse data in which `kseg.check` finds errors; its warnings are
            printed, at most ten lines. False prints the errors too and trains in spite of them; a
            file that cannot be read still stops the training.
        callbacks: Further Keras callbacks.
        overwrite: Whether a new run may take the place of the run that the folder holds, whose
            files are removed when the first step is due. Defaults to False.

    Returns:
        The trained `keras.Model`, as at the end; the best one is `best.keras` in the run folder.

    Raises:
        TypeError: the model, a source, the folder, the settings, the transforms or the callbacks
            are something else.
        ValueError: classes do not match, a sample is bad, the loss is no longer finite, a setting
            cannot be followed, or the folder holds a run already.
        OSError: a checkpoint cannot be written, as on a full disk; the last one is whole.
        ImportError: an instance model is to be validated and pycocotools is not installed.
        KeyboardInterrupt: Ctrl-C; the last step is saved and the run can be resumed. A second
            Ctrl-C stops at once.

    Example:

    >>> train, val = kseg.data.shapes("train", count=16), kseg.data.shapes("val", count=4)
    >>> model = kseg.build_unet(train.num_classes, width=4, depth=2)
    >>> settings = kseg.Settings(size=(64, 64), epochs=1)
    >>> model = kseg.fit(model, train, val, run="runs/shapes", settings=settings)
    epoch 1/1 ...
    >>> kseg.Run.open("runs/shapes").history()[-1]["step"]
    2.0
    """
    run = arguments.path("run", run, "a folder for the run")
    _check_types(train, val, settings, augment, callbacks)
    sources = [train] if val is None or val is train else [train, val]
    if resume:
        model, opened, settings = _resumed(model, run, settings, train, compile, data)
        own = is_own(model)
    else:
        settings = settings or Settings()
        _check_new(model, run, overwrite, sources)
        own = _compiled_here(model, compile, settings)
    for source in sources:
        check_source(model, source)
    learning = part("kseg.training", model)
    learning.check(model, val, settings)
    if augment is not None:
        check_unused(settings, OF_AUGMENT, "beside augment=")
    report = _checked(sources, check_data)
    settings = _sized(settings, model, report)

    per_epoch = steps_per_epoch(train, settings.batch_size)
    steps = per_epoch * settings.epochs
    if resume:
        opened = _replanned(opened, model, settings, per_epoch, own)
    else:
        names, colors = train.class_names, train.colors
        opened = Run(run, names, colors, train.void, to_dict(settings), data)
        if own:
            learning.compile_model(model, settings, steps, train, report.sources[0].pixels)
        opened.clear()
    if augment is None:
        augment = augmentation(settings, train.void)
    learned = cached(train, cache) if cache is not None else train
    recorder = RunRecorder(opened, settings, val, learning, contract(model).score)
    if not resume:
        opened.write()
    try:
        with naming_bad_files(train):
            _learn(model, learned, augment, settings, per_epoch, recorder, callbacks)
    except Unwritten as error:
        if opened.is_trained():
            error.remedy = (
                "The last checkpoint is whole: go on from it with resume=True (`kseg fit --resume "
                f"--run {opened.path}`)."
            )
        raise
    finally:
        opened.discard()  # where nothing was kept
    if recorder.stopped:
        raise KeyboardInterrupt
    return model


def _resumed(model, run, settings, train, compile, data):
    """Model, run and settings of a run folder; what is given beside must be the run's own."""
    opened = Run.open(run)
    if model is not None:
        raise ValueError("resume=True takes the model from the run: pass model=None.")
    if compile is not None:
        expected = "None with resume=True: a run keeps its compilation"
        raise refused("compile", compile, expected, "Leave it out, or begin a new run.")
    if train.class_names != opened.class_names:
        expected = f"a source of the run's classes, {opened.class_names}"
        raise refused("train", train.class_names, expected, "Give the data of the run.")
    if data is not None and json.loads(json.dumps(data)) != opened.data:
        expected = f"{opened.data!r}, with which the run was begun"
        raise refused("data", data, expected, "Leave it out, or begin a new run.")
    settings = resumed(settings, from_dict(opened.settings))
    return opened.load_model("last"), opened, settings


def _replanned(opened, model, settings, per_epoch, own):
    """The run with what of its settings is another now, and the schedule that follows."""
    if to_dict(settings) == opened.settings:
        return opened
    begun = -(-int(model.optimizer.iterations) // per_epoch)
    remedy = "Give more, or begin a new run."
    integer("epochs", settings.epochs, low=max(1, begun), remedy=remedy)
    if own and settings.epochs != opened.settings["epochs"]:
        model.optimizer.learning_rate = schedule(settings, per_epoch * settings.epochs)
    opened = dataclasses.replace(opened, settings=to_dict(settings))
    opened.write()
    return opened


def _compiled_here(model, compile, settings):
    """Whether kseg compiles a model for a new run; says so if the model keeps its own way."""
    choice("compile", compile, (None, True, False))
    if compile is None:
        compile = is_own(model)
        if not compile:
            print(
                f"the model keeps its own optimizer ({type(model.optimizer).__name__}), loss and "
                "metrics; compile=True would replace them",
                flush=True,
            )
    if not compile:
        if not model.compiled:
            expected = "None or True: this model is not compiled"
            raise refused("compile", compile, expected, "Call model.compile(...) first.")
        where = "for a model that keeps its own compilation"
        check_unused(settings, OF_COMPILE, where, ", or give compile=True")
    return compile


def _checked(sources, check_data):
    """The report on the data, whose errors are raised if `check_data` and warnings are said."""
    report = check(*sources, limit=CHECKED_SAMPLES, duplicates=False)
    first = report.sources[0] if report.sources else None
    if first and first.bare and first.read < first.samples:  # then all of them decide
        report = check(*sources, duplicates=False)
    if check_data:
        report.raise_on_errors()
    warnings = report.findings if not check_data else report.warnings
    for finding in warnings if len(warnings) <= MOST_SAID else warnings[: MOST_SAID - 1]:
        say(f"{finding.severity}: {finding.source}: {finding}")
    if len(warnings) > MOST_SAID:
        say(f"... and {len(warnings) - MOST_SAID + 1} more; `kseg check` and kseg.check show all")
    return report


def _sized(settings, model, report):
    """The settings with the size of the crops, if they leave that open."""
    if settings.size is not None:
        return settings
    own = fixed_size(model)
    fixed = None not in own
    size = own if fixed else report.sources[0].suggested_size or FALLBACK_SIZE
    why = "the model's own size" if fixed else "as kseg check suggests by the photos' sizes"
    print(f"crops of {size[0]}x{size[1]} pixels (height x width), {why}", flush=True)
    return dataclasses.replace(settings, size=size)


def _check_types(train, val, settings, augment, callbacks):
    """Raises `TypeError` for an argument that is something else altogether."""
    check_is_source("train", train)
    if val is not None:
        check_is_source("val", val)
    if not isinstance(settings, Settings | None):
        remedy = "Write kseg.Settings(**settings)." if isinstance(settings, dict) else ""
        raise refused("settings", settings, "kseg.Settings or None", remedy, error=TypeError)
    for name, each, what in (
        ("augment", augment, "a list of transforms, as of kseg.data.transforms, or None"),
        ("callbacks", callbacks, "a list of Keras callbacks"),
    ):
        if not isinstance(each, list | tuple | None) or name == "callbacks" and each is None:
            remedy = f"For one write {name}=[...]." if callable(each) or name == "callbacks" else ""
            raise refused(name, each, what, remedy, error=TypeError)


def _check_new(model, run, overwrite, sources):
    """Raises unless a new run can start in the folder without harm to what is there."""
    if model is None:
        raise ValueError("model=None: pass a model, or resume=True to go on with a run.")
    contract(model)  # says so if it is none
    begun = (run / "run.json").exists()
    if begun and Run.open(run).is_trained() and not overwrite:
        raise refused(
            "run",
            str(run),
            "a folder that holds no run",
            "Choose another folder, resume it (resume=True), or begin it anew (overwrite=True).",
        )
    outputs = [("run", run / name) for name in (*KEPT, *SHOWN)]
    check_outputs(
        outputs, [file for source in sources for file in source.files()], overwrite or begun
    )


def _learn(model, source, augment, settings, per_epoch, recorder, callbacks):
    """Trains from the step at which the model stands to the end of the run."""
    step = int(model.optimizer.iterations)
    epoch, done = divmod(step, per_epoch)
    total = per_epoch * settings.epochs
    shown = progress(step, total, settings.batch_size, settings.epochs)
    callbacks = [recorder, shown, *callbacks]  # the recorder first: it adds the validation scores
    for callback in callbacks:  # Keras knows which way is better of the model's own metrics alone
        monitor, mode = (getattr(callback, name, None) for name in ("monitor", "mode"))
        if monitor == recorder.watched and mode == "auto":
            callback.mode = "max"
    build_optimizer(model)

    def learn(step, epoch, epochs, steps):
        """From `epoch` up to `epochs`, `steps` steps each, on the samples from `step` on."""
        photos = batches(
            source,
            size=tuple(settings.size),
            batch_size=settings.batch_size,
            augment=augment,
            seed=settings.seed,
            start_step=step,
        )
        model.fit(
            for_model(photos, model),
            initial_epoch=epoch,
            epochs=epochs,
            steps_per_epoch=steps,
            verbose=0,
            shuffle=False,
            callbacks=callbacks,
        )

    recorder.go_on_from(epoch)
    with stopping_gently(recorder, shown), contextlib.closing(shown):
        if done:  # the rest of the epoch in which the run was stopped
            learn(step, epoch, epoch + 1, per_epoch - done)
            step, epoch = step + per_epoch - done, epoch + 1
        if epoch < settings.epochs and not recorder.stopped:
            learn(step, epoch, settings.epochs, per_epoch)

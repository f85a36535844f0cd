"""`kseg.fit`: settings -> a trained model in a run folder, resumable from any step.

Every random number follows from the seed and the global step, and the step is the optimizer's own
counter, saved with the weights. So a run that was stopped, or killed, goes on from its last
checkpoint as if nothing had happened.
"""

import contextlib
from pathlib import Path

from kseg.base.arguments import refused
from kseg.base.atomic import Unwritten
from kseg.checks.check import check
from kseg.data.bad_files import naming_bad_files
from kseg.data.cache import cached
from kseg.data.pipeline import batches, steps_per_epoch
from kseg.models.contract import check_source, contract, part
from kseg.models.defaults import build_optimizer
from kseg.runs.run import Run
from kseg.training.augmentation import augmentation
from kseg.training.callbacks import RunRecorder, stopping_gently
from kseg.training.progress import progress
from kseg.training.settings import Settings, from_dict, to_dict

CHECKED_SAMPLES = 1000  # read before the first step; what lies beyond is named when it is met


def fit(
    model,
    train,
    val=None,
    *,
    run,
    settings=None,
    resume=False,
    data=None,
    augment=None,
    cache=None,
    check_data=True,
    callbacks=(),
):
    """Trains a model and keeps everything in a run folder.

    Args:
        model: A model of a kseg builder; its compilation is replaced. None when resuming.
        train: `Source` to learn from. Of a photo with more than 100 objects the largest 100 are
            learned; `model.fit(kseg.data.batches(..., max_instances=...))` takes more.
        val: `Source` to validate on after each epoch, at each photo's own size; None for none.
            `best.keras` is the model at its best mean IoU; of an instance model, mask AP.
        run: Folder for the run; must not hold one already, unless resuming.
        settings: `Settings`; None for the defaults, or for those of the run when resuming.
        resume: Whether to go on with the run from its last checkpoint.
        data: Optional JSON-able note of how the sources were made, kept in `run.json`.
        augment: Transforms of `kseg.data.transforms` for training; None for scale jitter and crop,
            flip and colour jitter by the settings. The last shape must be `settings.size`. Pass the
            same when resuming.
        cache: Where to keep decoded photos, as in `kseg.data.batches`.
        check_data: Whether to refuse data in which `kseg.check` finds errors. False trains in
            spite of them; a file that cannot be read still stops the training.
        callbacks: Further Keras callbacks.

    Returns:
        The trained `keras.Model`, as at the end; the best one is `best.keras` in the run folder.

    Raises:
        ValueError: classes do not match, a sample is bad, the loss is no longer finite, or the
            folder holds a run already.
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
    if resume:
        model, opened, settings = _resumed(model, run, settings)
    else:
        settings = settings or Settings()
        _check_new(model, run)
    sources = [train] if val is None else [train, val]
    for source in sources:
        check_source(model, source)
    learning = part("kseg.training", model)
    learning.check(model, val)
    report = check(*sources, limit=CHECKED_SAMPLES, duplicates=False)
    if check_data:
        report.raise_on_errors()

    per_epoch = steps_per_epoch(train, settings.batch_size)
    if not resume:
        names, colors = train.class_names, train.colors
        opened = Run(Path(run), names, colors, train.void, to_dict(settings), data)
        pixels = report.sources[0].pixels
        learning.compile_model(model, settings, per_epoch * settings.epochs, train, pixels)
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


def _resumed(model, run, settings):
    """Model, run and settings of a run folder."""
    opened = Run.open(run)
    if model is not None:
        raise ValueError("resume=True takes the model from the run: pass model=None.")
    return opened.load_model("last"), opened, settings or from_dict(opened.settings)


def _check_new(model, run):
    """Raises `ValueError` unless a new run can start."""
    if model is None:
        raise ValueError("model=None: pass a model, or resume=True to go on with a run.")
    if (Path(run) / "run.json").exists() and Run.open(run).is_trained():
        raise refused(
            "run",
            str(run),
            "a folder that holds no run",
            "Choose another folder, or resume it (resume=True; `kseg fit --resume`).",
        )


def _learn(model, source, augment, settings, per_epoch, recorder, callbacks):
    """Trains from the step at which the model stands to the end of the run."""
    step = int(model.optimizer.iterations)
    epoch, done = divmod(step, per_epoch)
    shown = progress(step, per_epoch * settings.epochs, settings.batch_size)
    callbacks = [recorder, shown, *callbacks]  # the recorder first: it adds the validation scores
    build_optimizer(model)

    def learn(step, epoch, epochs, steps):
        """From `epoch` up to `epochs`, `steps` steps each, on the samples from `step` on."""
        stream = batches(
            source,
            size=tuple(settings.size),
            batch_size=settings.batch_size,
            augment=augment,
            seed=settings.seed,
            start_step=step,
        )
        model.fit(
            stream,
            initial_epoch=epoch,
            epochs=epochs,
            steps_per_epoch=steps,
            verbose=0,
            shuffle=False,
            callbacks=callbacks,
        )

    recorder.go_on_from(epoch)
    with stopping_gently(recorder), contextlib.closing(shown):
        if done:  # the rest of the epoch in which the run was stopped
            learn(step, epoch, epoch + 1, per_epoch - done)
            step, epoch = step + per_epoch - done, epoch + 1
        if epoch < settings.epochs and not recorder.stopped:
            learn(step, epoch, settings.epochs, per_epoch)

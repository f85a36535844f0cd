"""Training: settings -> fit, resumable from any step. One linear file.

Every random number follows from the seed and the global step, and the step is the optimizer's own
counter, saved with the weights. So a run that was stopped, or killed, goes on from its last
checkpoint as if nothing had happened.
"""

import contextlib
from pathlib import Path

from kseg.checks.check import check
from kseg.checks.statistics import class_weights
from kseg.data.bad_files import naming_bad_files
from kseg.data.cache import cached
from kseg.data.pipeline import batches, steps_per_epoch
from kseg.models.contract import check_classes
from kseg.runs.run import Run
from kseg.training.callbacks import RunRecorder, stopping_gently
from kseg.training.progress import progress
from kseg.training.semantic import augmentation, compile_model
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
    """Trains a semantic model and keeps everything in a run folder.

    Args:
        model: A model of a kseg builder; its compilation is replaced. None when resuming.
        train: `Source` to learn from.
        val: `Source` to validate on after each epoch, at each photo's own size; None for none.
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
        KeyboardInterrupt: Ctrl-C; the last step is saved and the run can be resumed. A second
            Ctrl-C stops at once.

    Example:

    >>> train, val = kseg.data.shapes("train"), kseg.data.shapes("val")
    >>> model = kseg.build_unet(train.num_classes, width=8)
    >>> kseg.fit(model, train, val, run="runs/shapes", settings=kseg.Settings(size=(96, 96)))
    """
    if resume:
        opened = Run.open(run)
        if model is not None:
            raise ValueError("resume=True takes the model from the run: pass model=None.")
        settings = settings or from_dict(opened.settings)
        model = opened.load_model("last")
    else:
        settings = settings or Settings()
        if model is None:
            raise ValueError("model=None: pass a model, or resume=True to go on with a run.")
        if (Path(run) / "run.json").exists():
            raise ValueError(
                f"run={str(run)!r} holds a run already. Choose another folder, or resume it "
                "(`kseg fit --resume`)."
            )
    if getattr(model, "task", "semantic") != "semantic":
        raise ValueError(
            f"The model {model.name!r} finds objects, but kseg.fit trains models of labels. "
            "Use model.fit(kseg.data.batches(source, ...)): examples/mask_rcnn_nuclei.py shows how."
        )
    sources = [train] if val is None else [train, val]
    for source in sources:
        check_classes(model, source)
    report = check(*sources, limit=CHECKED_SAMPLES, duplicates=False)
    if check_data:
        report.raise_on_errors()
    weights = class_weights(report.sources[0].pixels, settings.balance)

    per_epoch = steps_per_epoch(train, settings.batch_size)
    if not resume:
        opened = Run(
            Path(run), train.class_names, train.colors, train.void, to_dict(settings), data
        )
        compile_model(model, settings, per_epoch * settings.epochs, weights, train)
        opened.write()

    if augment is None:
        augment = augmentation(settings, train.void)
    learned = cached(train, cache) if cache is not None else train
    step = int(model.optimizer.iterations)
    epoch, done = divmod(step, per_epoch)
    keeper = RunRecorder(opened, settings, val, per_epoch, epoch)

    def learn(step, epoch, epochs, steps):
        """From `epoch` up to `epochs`, `steps` steps each, on the samples from `step` on."""
        stream = batches(
            learned,
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

    shown = progress(step, per_epoch * settings.epochs, settings.batch_size)
    callbacks = [keeper, shown, *callbacks]  # the keeper first: it adds the validation scores
    with stopping_gently(keeper), naming_bad_files(train), contextlib.closing(shown):
        if done:  # the rest of the epoch in which the run was stopped
            learn(step, epoch, epoch + 1, per_epoch - done)
            step, epoch = step + per_epoch - done, epoch + 1
        if epoch < settings.epochs and not keeper.stopped:
            learn(step, epoch, settings.epochs, per_epoch)
    if keeper.stopped:
        raise KeyboardInterrupt
    return model

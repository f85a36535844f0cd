"""The epochs of a run, by Keras' own `fit`: from where it stands to its end."""

import contextlib

from kseg.data.pipeline import batches
from kseg.models.defaults import build_optimizer
from kseg.models.graph import build_metrics
from kseg.models.inputs import for_model
from kseg.models.recomputed import recomputing
from kseg.training import freezing, state, tensorboard
from kseg.training.callbacks import Checkpoints, RunRecorder, stopping_gently
from kseg.training.place import compile_again, optimizer_of
from kseg.training.progress import progress


def learn(model, source, augment, settings, run, val, learning, watch, place, callbacks, devices):
    """Trains to the end of the run.

    Args:
        model: The model, compiled.
        source: `Source` to learn from.
        augment: Transforms.
        settings: `Settings`.
        run: `Run`.
        val: `Source` to validate on, or None.
        learning: The module of `kseg.training` for the model's task.
        watch: `Watch`.
        place: `Place` at which it stands.
        callbacks: The user's.
        devices: `kseg.training.devices.one.Devices` that share each step.

    Returns:
        Whether it was stopped, by Ctrl-C or a signal.
    """
    total = place.per_epoch * settings.epochs
    shown = progress(place.step, total, settings.batch_size, settings.epochs)
    written = settings.tensorboard and devices.first
    pictures = tensorboard.Pictures(run, val) if written and val is not None else None
    recorder = RunRecorder(run, settings, val, learning, watch, place, devices, pictures)
    recorder.rows = list(place.rows)
    keeper = Checkpoints(recorder, callbacks)
    more = [tensorboard.scalars(run)] * written
    every = [recorder, shown, *callbacks, *more, keeper]
    for callback in every:  # Keras knows which way is better of the model's own metrics alone
        monitor, mode = (getattr(callback, name, None) for name in ("monitor", "mode"))
        if monitor == watch.column and mode == "auto":
            callback.mode = watch.mode
    build_optimizer(model)
    if recorder.rows and devices.first:
        run.write_history(recorder.rows)

    def fit_up_to(epochs):
        """From where it stands to the end of an epoch, or of so many epochs."""
        photos = batches(
            source,
            size=tuple(settings.size),
            batch_size=settings.batch_size,
            augment=augment,
            seed=settings.seed,
            start_step=place.step,
            share=devices.share,
            max_instances=devices.places(source),
        )
        photos = devices.batches(for_model(photos, model))
        if place.done or devices.count > 1:
            build_metrics(model, photos.element_spec)
        ends = epochs == settings.epochs
        with state.going_on(model, ends), devices.training(model, settings.batch_size):
            model.fit(
                photos,
                initial_epoch=place.epoch,
                epochs=epochs,
                steps_per_epoch=place.per_epoch - place.done,
                verbose=0,
                shuffle=False,
                callbacks=every,
            )
        place.arrays = state.without_metrics(state.arrays_of(model))
        place.remembered = state.notes_of_callbacks(callbacks)

    def next_optimizer(model):
        return optimizer_of(model, settings, total)

    def goes_on():
        return place.epoch < settings.epochs and not place.ended and not keeper.stopped

    twice = recomputing(model) if settings.remat else contextlib.nullcontext()
    with stopping_gently(keeper, shown), contextlib.closing(shown), twice:
        while goes_on():
            frozen = place.epoch < settings.freeze_epochs
            if place.done:  # the rest of the epoch in which the run was stopped
                fit_up_to(place.epoch + 1)
            else:
                fit_up_to(settings.freeze_epochs if frozen else settings.epochs)
            if frozen and place.epoch == settings.freeze_epochs and goes_on():
                freezing.thaw(model, settings, next_optimizer, compile_again)
    devices.close(model)
    return keeper.stopped

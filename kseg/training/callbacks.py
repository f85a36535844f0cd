"""What happens beside the steps of a training: validation, history, checkpoints, stopping."""

import contextlib
import signal
import threading
import time

import keras
import numpy as np

from kseg.base.arguments import refused
from kseg.base.words import say
from kseg.models.defaults import is_own
from kseg.models.saving import save_model
from kseg.training import state
from kseg.training.devices.validation import scored


class RunRecorder(keras.callbacks.Callback):
    """Validates, keeps history and the best model, and stops when the loss breaks.

    It comes before all other callbacks, which see the scores; `Checkpoints` comes after them.

    Args:
        run: The `Run`.
        settings: `Settings`.
        val: `Source` to validate on, or None.
        learning: The module of `kseg.training` for the model's task.
        watch: The `Watch`.
        place: The `Place` at which the training stands.
        devices: `kseg.training.devices.one.Devices`; the first process alone writes.
        pictures: `kseg.training.tensorboard.Pictures` to draw after each validation, or None.
    """

    def __init__(self, run, settings, val, learning, watch, place, devices, pictures=None):
        super().__init__()
        self.pictures = pictures
        self.run, self.settings, self.val = run, settings, val
        self.learning, self.watch, self.place, self.devices = learning, watch, place, devices
        self.rows, self.steps_done = [], 0

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()
        self.first = self.place.done

    def on_train_batch_end(self, batch, logs=None):
        self.place.done = self.first + batch + 1
        self.steps_done += 1
        if "loss" not in logs:
            remedy = "Return it beside the others: {'loss': loss, ...}."
            raise refused("train_step", [*logs], "logs with 'loss' among them", remedy)
        if not np.isfinite(logs["loss"]):
            raise self.broken(f"The loss became {logs['loss']}")

    def on_epoch_end(self, epoch, logs=None):
        if self.place.done < self.place.per_epoch:
            return  # the rest of the epoch comes when the run is resumed
        seconds, steps = time.perf_counter() - self.started, self.place.done - self.first
        row = {
            "epoch": epoch + 1,
            "step": (epoch + 1) * self.place.per_epoch,
            **{name: float(logs[name]) for name in self.columns(logs)},
            "images_per_second": steps * self.settings.batch_size / seconds,
        }
        with self.devices.alone(self.model), state.averaged(self.model):
            if self.is_validated(epoch):
                scores = scored(self.model, self.val, self.settings.batch_size, self.devices)
                row |= {f"val_{name}": scores[name] for name in self.learning.VALIDATED}
                if (value := self.watch.value(scores)) is not None:
                    row[self.watch.column] = value
                self.watch.say_if_nothing(row, self.rows)
                for name in {f"val_{self.learning.VALIDATED[0]}", self.watch.column} & row.keys():
                    logs[name] = row[name]
                if self.pictures:
                    self.pictures.write(self.model, epoch)
            best = self.watch.best(self.rows)
            self.rows.append(row)
            if self.devices.first:
                self.run.write_history(self.rows)
            # of what is not validated a checkpoint does; but it has no average in place of weights
            kept_anyway = self.watch.column not in row and self.val is None
            if self.watch.better(row.get(self.watch.column), best) or (
                kept_anyway and state.keeps_average(self.model)
            ):
                self.check_weights()
                if self.devices.first:
                    save_model(self.model, self.run.path / "best.keras")
        self.place.epoch, self.place.done = epoch + 1, 0
        if self.watch.has_waited(self.rows, self.place.patient_from):
            self.place.ended = True
            self.model.stop_training = True
            say(
                f"stopped after epoch {epoch + 1}: {self.watch.column} has not been better for "
                f"{self.watch.patience} validations"
            )

    def is_validated(self, epoch):
        last = epoch + 1 == self.settings.epochs
        return self.val is not None and ((epoch + 1) % self.settings.validate_epochs == 0 or last)

    def columns(self, logs):
        """Names of what is kept of the batches: the task's, or all that a user's `compile` has."""
        known = self.learning.TRAINED
        return known if set(known) <= logs.keys() and is_own(self.model) else [*logs]

    def check_weights(self):
        """Raises unless somebody could go on from these weights."""
        weights = map(keras.ops.convert_to_numpy, self.model.weights)
        if not all(np.isfinite(values.astype(np.float32)).all() for values in weights):
            raise self.broken("The weights are no longer finite")

    def broken(self, what):
        """The error for numbers that have broken, with what is left and what to do."""
        kept = "Nothing was kept: the folder is free for another try."
        if self.run.is_trained():
            kept = (
                f"What was learned up to the last checkpoint is kept in {str(self.run.path)!r}: "
                "with the data mended, go on from it (resume=True); with another learning rate, "
                "begin another run."
            )
        return ValueError(
            f"{what} at step {self.steps_done} of this start. A label may be outside the class "
            "list, or the learning rate too high: run `kseg check` on the data, and lower the "
            f"learning rate (learning_rate= of kseg.Settings, --learning-rate). {kept}"
        )


class Checkpoints(keras.callbacks.Callback):
    """Keeps all that is needed to go on; the last of the callbacks, whose memory it keeps too.

    Args:
        recorder: The `RunRecorder`.
        others: The user's callbacks.
    """

    def __init__(self, recorder, others):
        super().__init__()
        self.recorder, self.others = recorder, others
        self.stop_requested = self.stopped = False
        self.since = 0  # the last checkpoint

    def on_epoch_begin(self, epoch, logs=None):
        """What callbacks have forgotten they know again."""
        place = self.recorder.place
        state.restore_callbacks(self.others, place.remembered)
        place.remembered, self.batch = [], -1

    def on_train_batch_begin(self, batch, logs=None):
        """Generators and metrics are as they were; to begin an epoch, PyTorch draws a number."""
        place = self.recorder.place
        if place.arrays:
            state.restore_arrays(self.model, place.arrays, self.recorder.devices.assign)
            place.arrays = {}

    def on_train_batch_end(self, batch, logs=None):
        self.since += batch - self.batch
        self.batch = batch
        place = self.recorder.place
        stops = self.recorder.devices.any(self.stop_requested)
        if stops:
            self.stopped = True
            self.model.stop_training = True
        if place.done == place.per_epoch:
            return  # the end of the epoch comes now, and its own checkpoint
        if stops or self.since >= self.recorder.settings.checkpoint_steps:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        place = self.recorder.place
        if place.done == 0:  # else the epoch is not at its end
            place.ended |= bool(self.model.stop_training) and not self.stopped
            self.save()

    def save(self):
        """Writes a checkpoint, unless nobody could go on from it."""
        self.since = 0
        with self.recorder.devices.alone(self.model):
            self.recorder.check_weights()
            self.write(self.model, self.recorder.place)

    def write(self, model, place):
        note = {
            "epoch": place.epoch,
            "done": place.done,
            "ended": place.ended,
            "patient_from": place.patient_from,
            "rows": self.recorder.rows,
            "callbacks": state.notes_of_callbacks(self.others),
            "optimizer": state.note_of_optimizer(model),
        }
        arrays = state.arrays_of(model)
        if self.recorder.devices.first:
            self.recorder.run.write_checkpoint(lambda path: save_model(model, path, note, arrays))


@contextlib.contextmanager
def stopping_gently(checkpoints, progress):
    """Within it, the first Ctrl-C or SIGTERM lets the step in flight end; the second interrupts."""

    def request(number, frame):
        if checkpoints.stop_requested:
            raise KeyboardInterrupt
        checkpoints.stop_requested = True
        progress.stopping()

    previous = {}
    if threading.current_thread() is threading.main_thread():  # only there are signals delivered
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, request)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

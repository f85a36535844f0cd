"""What happens beside the steps of a training: validation, history, checkpoints, stopping."""

import contextlib
import signal
import threading
import time

import keras
import numpy as np

from kseg.evaluation.evaluate import evaluate
from kseg.models.defaults import is_own
from kseg.models.saving import save_model


class RunRecorder(keras.callbacks.Callback):
    """Validates, keeps history and checkpoints, and stops on request or when the loss breaks.

    Args:
        run: The `Run`.
        settings: `Settings`.
        val: `Source` to validate on, or None.
        learning: The module of `kseg.training` for the model's task.
        score: Key of the score by which the best model is kept.
    """

    def __init__(self, run, settings, val, learning, score):
        super().__init__()
        self.run, self.settings, self.val = run, settings, val
        self.learning, self.watched = learning, f"val_{score}"
        self.rows, self.best = [], -1.0
        self.stop_requested = self.stopped = False
        self.step = 0

    def go_on_from(self, epoch):
        """Takes up the history of the run as it was after so many epochs."""
        self.rows = [row for row in self.run.history() if row["epoch"] <= epoch]
        self.best = max((row[self.watched] for row in self.rows if self.watched in row), default=-1)

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()
        self.steps_done = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps_done += 1
        self.step += 1
        if not np.isfinite(logs["loss"]):
            raise self._broken(f"The loss became {logs['loss']}")
        if self.stop_requested:
            self.stopped = True
            self.model.stop_training = True
        if self.stop_requested or self.step % self.settings.checkpoint_steps == 0:
            self.save("last")

    def on_epoch_end(self, epoch, logs=None):
        if self.stopped and self.steps_done < self.params["steps"]:
            return  # the rest of the epoch comes when the run is resumed
        seconds = time.perf_counter() - self.started
        row = {
            "epoch": epoch + 1,
            "step": int(self.model.optimizer.iterations),
            **{name: logs[name] for name in self.columns(logs)},
            "images_per_second": self.steps_done * self.settings.batch_size / seconds,
        }
        last = epoch + 1 == self.settings.epochs
        if self.val is not None and ((epoch + 1) % self.settings.validate_epochs == 0 or last):
            scores = evaluate(self.model, self.val, batch_size=self.settings.batch_size)
            row |= {f"val_{name}": scores[name] for name in self.learning.VALIDATED}
            logs[self.watched] = row[self.watched]
        self.rows.append(row)
        self.run.write_history(self.rows)
        if row.get(self.watched, -1.0) > self.best:
            self.best = row[self.watched]
            self.save("best")
        self.save("last")

    def columns(self, logs):
        """Names of what is kept of the batches: the task's, or all that a user's `compile` has."""
        known = self.learning.TRAINED
        return known if set(known) <= logs.keys() and is_own(self.model) else [*logs]

    def save(self, name):
        """Writes a checkpoint, unless nobody could go on from it."""
        weights = map(keras.ops.convert_to_numpy, self.model.weights)
        if not all(np.isfinite(values.astype(np.float32)).all() for values in weights):
            raise self._broken("The weights are no longer finite")
        save_model(self.model, self.run.path / f"{name}.keras")

    def _broken(self, what):
        """The error for numbers that have broken, with what is left and what to do."""
        kept = "Nothing was kept: the folder is free for another try."
        if self.run.is_trained():
            kept = (
                f"What was learned up to the last checkpoint is kept in {str(self.run.path)!r}; it "
                "would break again if resumed, so start another run."
            )
        return ValueError(
            f"{what} at step {self.step} of this start. A label may be outside the class list, or "
            "the learning rate too high: run `kseg check` on the data, and lower the learning rate "
            f"(learning_rate= of kseg.Settings, --learning-rate). {kept}"
        )


@contextlib.contextmanager
def stopping_gently(recorder, progress):
    """Within it, the first Ctrl-C or SIGTERM lets the step in flight end; the second interrupts."""

    def request(number, frame):
        if recorder.stop_requested:
            raise KeyboardInterrupt
        recorder.stop_requested = True
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

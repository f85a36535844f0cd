"""Progress of a training: a live bar on a terminal, one plain line an epoch elsewhere; a notebook's
line is rewritten meanwhile."""

import builtins
import contextlib
import sys
import time

import keras

ROOM_FOR_A_BAR = 100  # characters of a line; in less, the numbers alone fit
SHOWN = 2  # numbers of a step beside the speed: the loss, and the first after it
EVERY = 0.5  # seconds between two states of a notebook's line
WIDTH = 79  # of it: a shorter one hides what was there
LONG = 10  # seconds of compiling that are worth a line


def progress(steps_done, steps_total, batch_size, epochs):
    """The callback that suits standard output.

    Args:
        steps_done: Steps of the run before this start.
        steps_total: Steps of the whole run.
        batch_size: Images a step.
        epochs: Of the whole run.
    """
    kind = TerminalProgress if sys.stdout.isatty() else PlainProgress
    if in_notebook():
        kind = NotebookProgress
    return kind(steps_done, steps_total, batch_size, epochs)


def in_notebook():
    """Whether a notebook's cell runs this: IPython makes `get_ipython` a name known everywhere."""
    shell = getattr(builtins, "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class PlainProgress(keras.callbacks.Callback):
    """One line an epoch: time, images a second, loss, scores."""

    def __init__(self, steps_done, steps_total, batch_size, epochs):
        super().__init__()
        self.first = self.step = steps_done
        self.total, self.batch_size, self.epochs = steps_total, batch_size, epochs
        self.began, self.compiling = None, True

    def on_train_begin(self, logs=None):
        self.began = self.began or time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch_began, self.epoch_first = time.perf_counter(), self.step
        self.steps_left = self.params["steps"]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self.steps_left -= 1
        if self.compiling:
            self.compiling = False
            self.compiled()

    def compiled(self):
        """The first step of this start is done: what a backend compiles is compiled."""
        now = time.perf_counter()
        if now - self.began > LONG:
            self.say(f"the first step took {_clock(now - self.began)}, to compile the network")
        self.began = self.epoch_began = now  # speed is of the steps after it
        self.first = self.epoch_first = self.step

    def on_epoch_end(self, epoch, logs=None):
        if not self.steps_left:  # the rest of an epoch comes when the run is resumed
            self.say(self.line(epoch, logs))

    def line(self, epoch, logs):
        steps, seconds = self.step - self.epoch_first, time.perf_counter() - self.epoch_began
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        speed = f"{steps * self.batch_size / seconds:.1f} images/s  " if steps else ""
        return f"epoch {epoch + 1}/{self.epochs}  {speed}{numbers}"

    def say(self, line):
        print(line, flush=True)

    def stopping(self):
        """Answers a Ctrl-C at once; the training stops after the step in flight."""
        with contextlib.suppress(RuntimeError):  # in the middle of another line
            self.say("stopping after this step, which is saved; Ctrl-C again stops at once")

    def close(self):
        """Gives the terminal back, also after an error."""


class TerminalProgress(PlainProgress):
    """A live line of epoch, step, images a second, time left, loss and score."""

    display = None

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.close()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.display = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            *([BarColumn()] if Console().width >= ROOM_FOR_A_BAR else []),
            TextColumn("step {task.completed}/{task.total}"),
            TextColumn("{task.fields[numbers]}"),
        )
        self.bar = self.display.add_task(
            "train", total=self.total, completed=self.step, epoch="", numbers=Compiling(self.began)
        )
        self.display.start()

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self.display.update(self.bar, epoch=f"{epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        elapsed, steps = time.perf_counter() - self.began, self.step - self.first
        numbers = [f"{name} {value:.3f}" for name, value in list(logs.items())[:SHOWN]]
        if steps:
            left = _clock((self.total - self.step) * elapsed / steps)
            numbers = [
                f"{_speed(steps * self.batch_size / elapsed)} images/s",
                f"{left} left",
                *numbers,
            ]
        self.display.update(self.bar, completed=self.step, numbers="  ".join(numbers))

    def on_train_end(self, logs=None):
        self.close()

    def say(self, line):
        if self.display is None:
            super().say(line)
        else:
            self.display.console.print(line, highlight=False)

    def close(self):
        if self.display:
            self.display.stop()


class NotebookProgress(PlainProgress):
    """A line of step, loss and score that is rewritten, and in the end is that of the epoch.

    Of plain text: rich's bar needs ipywidgets in a notebook, which not all have.
    """

    written = 0.0

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.rewrite("compiling")

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        now = time.perf_counter()
        if now - self.written > EVERY:
            self.written = now
            numbers = [f"{name} {value:.3f}" for name, value in list(logs.items())[:SHOWN]]
            self.rewrite("  ".join([f"step {self.step}/{self.total}", *numbers]))

    def say(self, line):
        self.rewrite(line)
        print(flush=True)

    def rewrite(self, line):
        print(f"\r{line:{WIDTH}}", end="", flush=True)


class Compiling:
    """What stands in place of numbers until there are some: it is formatted anew at each look."""

    def __init__(self, began):
        self.began = began

    def __format__(self, spec):
        return f"compiling {_clock(time.perf_counter() - self.began)}"


def _speed(rate):
    """Three digits at most: a line of 80 characters has no more room."""
    return f"{rate:.1f}" if rate < 10 else f"{rate:.0f}"


def _clock(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02} h" if hours else f"{minutes}:{seconds:02}"

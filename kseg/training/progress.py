"""Progress of a training: a live bar on a terminal, one plain line an epoch elsewhere."""

import sys
import time

import keras

SHOWN = 2  # numbers of a step beside the speed: the loss, and the first after it


def progress(steps_done, steps_total, batch_size):
    """The callback that suits standard output.

    Args:
        steps_done: Steps of the run before this start.
        steps_total: Steps of the whole run.
        batch_size: Images a step.
    """
    kind = TerminalProgress if sys.stdout.isatty() else PlainProgress
    return kind(steps_done, steps_total, batch_size)


class PlainProgress(keras.callbacks.Callback):
    """One line an epoch: time, images a second, loss, scores."""

    def __init__(self, steps_done, steps_total, batch_size):
        super().__init__()
        self.first = self.step = steps_done
        self.total = steps_total
        self.batch_size = batch_size
        self.began = None

    def on_train_begin(self, logs=None):
        self.began = self.began or time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch_began, self.epoch_first = time.perf_counter(), self.step

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1

    def on_epoch_end(self, epoch, logs=None):
        self.say(self.line(epoch, logs))

    def line(self, epoch, logs):
        seconds = time.perf_counter() - self.epoch_began
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        speed = (self.step - self.epoch_first) * self.batch_size / seconds
        return f"epoch {epoch + 1}/{self.params['epochs']}  {speed:.1f} images/s  {numbers}"

    def say(self, line):
        print(line, flush=True)

    def close(self):
        """Gives the terminal back, also after an error."""


class TerminalProgress(PlainProgress):
    """A live line of epoch, step, images a second, time left, loss and score."""

    display = None

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.close()
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.display = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("step"),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
        )
        self.bar = self.display.add_task(
            "train", total=self.total, completed=self.step, epoch="", numbers="compiling"
        )
        self.display.start()

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self.display.update(self.bar, epoch=f"{epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        elapsed = time.perf_counter() - self.began
        rate = (self.step - self.first) / elapsed
        left = (self.total - self.step) / rate
        numbers = f"{rate * self.batch_size:.1f} images/s  {_clock(left)} left  " + "  ".join(
            f"{name} {value:.3f}" for name, value in list(logs.items())[:SHOWN]
        )
        self.display.update(self.bar, completed=self.step, numbers=numbers)

    def on_train_end(self, logs=None):
        self.close()

    def say(self, line):
        self.display.console.print(line, highlight=False)

    def close(self):
        if self.display:
            self.display.stop()


def _clock(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

"""What is said while a model learns: where it stands, that it compiles, that Ctrl-C was heard."""

import io
import os
import signal

import keras
import pytest
from rich.console import Console

import kseg
from kseg.training import progress as said

pytestmark = pytest.mark.once("torch")
SETTINGS = {"size": (32, 32), "batch_size": 4, "epochs": 3, "checkpoint_steps": 1}


@pytest.fixture(scope="module")
def train():
    return kseg.data.shapes("train", size=(32, 32), count=20)  # five steps an epoch


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is set."""
    now = [100.0]
    monkeypatch.setattr(said.time, "perf_counter", lambda: now[0])
    return now


class At(keras.callbacks.Callback):
    """Does something after so many steps."""

    def __init__(self, step, action):
        super().__init__()
        self.left, self.action = step, action

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            self.action()


def fit(train, path, **more):
    keras.utils.set_random_seed(0)
    model = None if more.get("resume") else kseg.build_unet(6, width=2, depth=1)
    more.setdefault("settings", None if more.get("resume") else kseg.Settings(**SETTINGS))
    return kseg.fit(model, train, run=path, **more)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_epochs_are_counted_on_after_a_resume(train, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        fit(train, tmp_path / "run", callbacks=[At(6, interrupt)])
    first = capsys.readouterr().out.splitlines()
    assert first[0].startswith("epoch 1/3  ") and len(first) == 2
    assert first[1].startswith("stopping after this step") and "again stops at once" in first[1]
    fit(train, tmp_path / "run", resume=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:11] for line in lines] == ["epoch 2/3  ", "epoch 3/3  "]


def test_ctrl_c_is_answered_before_the_step_ends(train, tmp_path, monkeypatch):
    events = []
    monkeypatch.setattr(said.PlainProgress, "say", lambda self, line: events.append(line))

    def stop():
        interrupt()
        events.append("the step goes on")

    with pytest.raises(KeyboardInterrupt):
        fit(train, tmp_path / "run", callbacks=[At(2, stop)])
    assert events[0].startswith("stopping") and events[1] == "the step goes on"


def test_a_long_first_step_is_said_and_no_part_of_the_speed(clock, capsys):
    shown = said.PlainProgress(0, 4, batch_size=8, epochs=2)
    shown.set_params({"steps": 2})
    shown.on_train_begin()
    shown.on_epoch_begin(0)
    clock[0] += 75  # compiling
    shown.on_train_batch_end(0, {"loss": 1.0})
    clock[0] += 2
    shown.on_train_batch_end(1, {"loss": 0.5})
    shown.on_epoch_end(0, {"loss": 0.5})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "the first step took 1:15, to compile the network"
    assert lines[1] == "epoch 1/2  4.0 images/s  loss 0.5000"  # 8 images in 2 s


def test_an_epoch_of_one_step_has_no_speed_yet(clock, capsys):
    shown = said.PlainProgress(0, 2, batch_size=8, epochs=2)
    shown.set_params({"steps": 1})
    shown.on_train_begin()
    for epoch, seconds in ((0, 9), (1, 4)):
        shown.on_epoch_begin(epoch)
        clock[0] += seconds
        shown.on_train_batch_end(0, {"loss": 1.0})
        shown.on_epoch_end(epoch, {"loss": 1.0})
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["epoch 1/2  loss 1.0000", "epoch 2/2  2.0 images/s  loss 1.0000"]


def test_the_bar(clock, monkeypatch):
    """On a terminal: a clock while it compiles, then the speed and the time left."""
    import rich.progress

    screen = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    plain = rich.progress.Progress
    monkeypatch.setattr(
        rich.progress,
        "Progress",
        lambda *columns: plain(*columns, console=screen, auto_refresh=False),
    )

    def line():
        screen.file.seek(0)
        screen.file.truncate()
        shown.display.refresh()
        return screen.file.getvalue()

    shown = said.TerminalProgress(10, 20, batch_size=8, epochs=2)
    shown.set_params({"steps": 10})
    shown.say("before there is a bar")
    shown.on_train_begin()
    shown.on_epoch_begin(1)
    assert "epoch 2/2" in line() and "10/20" in line() and "compiling 0:00" in line()
    clock[0] += 65
    assert "compiling 1:05" in line()
    shown.on_train_batch_end(0, {"loss": 0.25, "mean_iou": 0.5})
    assert "loss 0.250  mean_iou 0.500" in line() and "left" not in line()
    clock[0] += 4
    shown.on_train_batch_end(1, {"loss": 0.25, "mean_iou": 0.5})
    # one step in 4 s: 2 images a second, 8 steps are left
    assert "2.0 images/s  0:32 left  loss 0.250" in line()
    screen.file.truncate(0)
    shown.stopping()
    assert "stopping after this step" in screen.file.getvalue()
    shown.close()


def test_a_line_of_80_characters_has_room_for_all(monkeypatch, clock):
    import rich.progress
    from rich.console import Console

    monkeypatch.setenv("COLUMNS", "80")
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    plain = rich.progress.Progress
    monkeypatch.setattr(
        rich.progress,
        "Progress",
        lambda *columns: plain(*columns, console=screen, auto_refresh=False),
    )
    shown = said.TerminalProgress(1297, 1300, batch_size=488, epochs=26)
    shown.set_params({"steps": 3})
    shown.on_train_begin()
    shown.on_epoch_begin(9)
    for step in range(2):
        clock[0] += 4
        shown.on_train_batch_end(step, {"loss": 0.25, "mean_iou": 0.5})
    shown.display.refresh()
    line = screen.file.getvalue()
    shown.close()
    words = "122 images/s  0:04 left  loss 0.250  mean_iou 0.500"
    assert "epoch 10/26 step 1299/1300" in line and words in line and "\u2026" not in line


def test_in_a_notebook_a_line_is_rewritten(train, tmp_path, capsys, monkeypatch, clock):
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setattr(said.builtins, "get_ipython", lambda: shell, raising=False)

    class Later(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            clock[0] += 0.4

    settings = kseg.Settings(**{**SETTINGS, "epochs": 1})
    fit(train, tmp_path / "run", settings=settings, callbacks=[Later()])
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 2 and lines[1] == ""
    states = [state.rstrip() for state in lines[0].split("\r")]
    assert states[:2] == ["", "compiling"] and states[-1].startswith("epoch 1/1  ")
    steps = [state.partition("  ")[0] for state in states[2:-1]]
    assert steps == ["step 1/5", "step 3/5", "step 5/5"]
    assert all("  loss " in state for state in states[2:])
    assert {len(state) for state in lines[0].split("\r")[1:-1]} == {said.WIDTH}


@pytest.mark.parametrize("name", ["TerminalInteractiveShell", None])
def test_elsewhere_it_is_not(name, monkeypatch):
    shell = type(name, (), {})() if name else None
    monkeypatch.setattr(said.builtins, "get_ipython", lambda: shell, raising=False)
    assert not said.in_notebook()

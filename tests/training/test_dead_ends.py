"""Trainings that go wrong: what is left can be gone on from, and what is said works."""

import errno
import os
import time

import keras
import numpy as np
import pytest

import kseg
from kseg.base.atomic import Unwritten
from kseg.models.saving import save_model
from kseg.training import callbacks

pytestmark = pytest.mark.once("torch")

SETTINGS = {"size": (16, 16), "batch_size": 4, "epochs": 2, "checkpoint_steps": 2}


@pytest.fixture(scope="module")
def train():
    return kseg.data.shapes("train", size=(16, 16), count=12)  # three steps an epoch


def small_model():
    return kseg.build_unet(6, width=2, depth=1)


def fit(model, train, run, **options):
    options = {"settings": kseg.Settings(**SETTINGS), "check_data": False, **options}
    return kseg.fit(model, train, run=run, **options)


class BreakAt(keras.callbacks.Callback):
    """Weights become NaN after a step, as of a learning rate that is too high."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        self.step -= 1
        if not self.step:
            weight = self.model.trainable_weights[0]
            weight.assign(np.full(weight.shape, np.nan))


@pytest.mark.slow
def test_a_loss_that_breaks_at_once_leaves_the_folder_free(train, tmp_path):
    """What the message says is done, and works: the same folder, another try."""
    model = small_model()
    model.layers[-2].bias.assign(np.full(6, np.nan))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(
        ValueError, match="loss became nan at step 1.*Nothing was kept.*another try"
    ):
        fit(model, train, tmp_path / "run")
    assert os.listdir(tmp_path / "run") == ["notes.txt"]
    fit(small_model(), train, tmp_path / "run")
    assert kseg.Run.open(tmp_path / "run").is_trained()


@pytest.mark.backends("tensorflow", "torch", reason="JAX holds the weights back until the epoch")
def test_broken_weights_are_no_checkpoint(train, tmp_path):
    """They break in the step before the second checkpoint: the first one stays."""
    with pytest.raises(ValueError, match="(loss|weights).*last checkpoint is kept.*another run"):
        fit(small_model(), train, tmp_path / "run", callbacks=[BreakAt(3)])
    model = kseg.Run.open(tmp_path / "run").load_model("last")
    assert int(model.optimizer.iterations) == 2
    assert all(np.isfinite(values).all() for values in model.get_weights())


def test_a_run_killed_before_its_first_checkpoint_starts_again(train, tmp_path):
    kseg.Run(tmp_path / "run", train.class_names, train.colors, 255, {}).write()
    with pytest.raises(FileNotFoundError, match="before its first checkpoint.*without resume=True"):
        kseg.fit(None, train, run=tmp_path / "run", resume=True)
    fit(small_model(), train, tmp_path / "run")
    assert len(kseg.Run.open(tmp_path / "run").history()) == 2


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_run_goes_on(train, tmp_path, monkeypatch):
    """The second checkpoint finds no room, half of it written."""
    save_model, saved = callbacks.save_model, []

    def full_at_the_second(model, path, *more):
        saved.append(path)
        if len(saved) == 2:

            def save(temporary):
                temporary.write_bytes(b"half")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            monkeypatch.setattr(model, "save", save)
        save_model(model, path, *more)

    monkeypatch.setattr(callbacks, "save_model", full_at_the_second)
    with pytest.raises(
        OSError, match="last.keras' cannot be written: No space left.*Make room"
    ) as e:
        fit(small_model(), train, tmp_path / "run")
    assert f"kseg fit --resume --run {tmp_path / 'run'}" in str(e.value)
    assert set(os.listdir(tmp_path / "run")) <= {
        "run.json",
        "settings.toml",
        "last.keras",
        "history.csv",
    }
    model = kseg.Run.open(tmp_path / "run").load_model("last")
    assert int(model.optimizer.iterations) == 2
    monkeypatch.undo()
    model = kseg.fit(None, train, run=tmp_path / "run", resume=True, check_data=False)
    assert int(model.optimizer.iterations) == 6


def test_a_disk_that_is_full_from_the_start(train, tmp_path, monkeypatch):
    def full(model, path, *more):
        raise Unwritten(path, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(callbacks, "save_model", full)
    with pytest.raises(OSError, match="No space left on device. Nothing half-written") as e:
        fit(small_model(), train, tmp_path / "run")
    assert "resume" not in str(e.value) and not (tmp_path / "run").exists()


def test_a_clock_of_before_zip_files(train, tmp_path, monkeypatch):
    """As after a start without a battery: said before the first step, not after the first epoch."""
    monkeypatch.setattr(time, "localtime", lambda *given: time.gmtime(0))
    with pytest.raises(OSError, match="clock says 1970: .* Set the clock"):
        fit(small_model(), train, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(OSError, match="clock says 1970"):
        save_model(small_model(), tmp_path / "model.keras")
    assert os.listdir(tmp_path) == []

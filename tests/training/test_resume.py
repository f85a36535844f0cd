"""A run that goes on ends as if it had never stopped, to the bit; what is otherwise is said."""

import dataclasses
import io
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import kseg
from kseg.models.saving import Damaged, check_whole, load_model, read_note, save_model
from kseg.training.freezing import encoder_of

SETTINGS = {"size": (16, 16), "batch_size": 4, "epochs": 2, "checkpoint_steps": 2}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def train():
    return kseg.data.shapes("train", size=(16, 16), count=12)  # three steps an epoch


@pytest.fixture(scope="module")
def val():
    return kseg.data.shapes("val", size=(16, 16), count=3)


def unet():
    keras.utils.set_random_seed(0)
    return kseg.build_unet(6, width=2, depth=1)


def with_dropout():
    """A network that draws random numbers, with an encoder and batch norms."""
    keras.utils.set_random_seed(0)
    image = x = keras.Input((None, None, 3))
    for stride in (2, 4):
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name=f"stride{stride}")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Dropout(0.3)(keras.layers.ReLU()(x))
    return kseg.build_unet(6, encoder=keras.Model(image, x))


class StopAfter(keras.callbacks.Callback):
    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def rows(run):
    """The history, but for the speed."""
    return [
        {name: value for name, value in row.items() if name != "images_per_second"}
        for row in kseg.Run.open(run).history()
    ]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights()))


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "build, steps", [pytest.param(unet, 2, marks=pytest.mark.slow), (with_dropout, 4)]
)
def test_to_the_bit(train, val, tmp_path, build, steps):
    """Weights, their average, losses, counts of metrics, dropout: stopped within an epoch."""
    settings = kseg.Settings(**SETTINGS, ema_momentum=0.9, learning_rate=0.01, patience=5)
    whole = kseg.fit(build(), train, val, run=tmp_path / "whole", settings=settings)
    with pytest.raises(KeyboardInterrupt):
        kseg.fit(
            build(),
            train,
            val,
            run=tmp_path / "parts",
            settings=settings,
            callbacks=[StopAfter(steps)],
        )
    parts = kseg.fit(None, train, val, run=tmp_path / "parts", resume=True)
    assert same(whole, parts)
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {
        "run.json",
        "settings.toml",
        "history.csv",
        "last.keras",
        "previous.keras",
        "best.keras",
    }
    if build is unet:
        return
    again = kseg.fit(None, train, val, run=tmp_path / "parts", resume=True)  # nothing is left
    assert same(whole, again) and rows(tmp_path / "whole") == rows(tmp_path / "parts")


def zip_says_the_same(path, content):
    """Whether a byte that was changed is one that nobody reads, as the date of a member."""
    try:
        with zipfile.ZipFile(path) as one, zipfile.ZipFile(io.BytesIO(content)) as other:
            return {n: one.read(n) for n in one.namelist()} == {
                n: other.read(n) for n in other.namelist()
            }
    except Exception:
        return False


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
import kills
sys.argv = ["kills.py", "--model", sys.argv[2], "--kills", sys.argv[3]]
sys.exit(kills.main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["unet", "deeplab", "mask_rcnn"])
def test_killed_at_random_moments(model):
    """`kill -9` of child processes, by the script that says how many were equal."""
    command = [sys.executable, "-c", KILLED, str(ROOT / "benchmarks"), model, "6"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.once("torch")
class TestOfCheckpoints:
    @pytest.fixture
    def run(self, train, tmp_path):
        kseg.fit(unet(), train, run=tmp_path / "run", settings=kseg.Settings(**SETTINGS))
        return tmp_path / "run"

    def test_a_damaged_one_is_named_and_the_one_before_is_used(self, train, run, capsys):
        last = run / "last.keras"
        content = bytearray(last.read_bytes())
        content[len(content) // 2] ^= 1
        last.write_bytes(content)
        model = kseg.fit(None, train, run=run, resume=True)
        said = capsys.readouterr().out
        assert "last.keras' is damaged" in said and "previous.keras" in said
        assert int(model.optimizer.iterations) == 6
        check_whole(last)

    @pytest.mark.few("1000")
    @pytest.mark.parametrize("cut", [0, 1000])
    def test_a_torn_one(self, train, run, cut, capsys):
        """Even if nobody has moved a new one to its place."""
        for name in ("last.keras", ".next.keras"):
            (run / name).write_bytes((run / name.lstrip(".")).read_bytes()[:cut]) if (
                run / name
            ).exists() else (run / name).write_bytes(b"half")
        kseg.fit(None, train, run=run, resume=True)
        assert "last.keras' is damaged" in capsys.readouterr().out
        assert not (run / ".next.keras").exists()

    def test_all_damaged(self, train, run):
        for name in ("last", "previous"):
            (run / f"{name}.keras").write_bytes(b"PK")
        with pytest.raises(ValueError, match="last.keras' is damaged.*previous.*Begin a new run"):
            kseg.fit(None, train, run=run, resume=True)

    def test_every_bit_counts(self, tmp_path):
        path = tmp_path / "m.keras"
        model = kseg.build_unet(2, width=2, depth=1, compile=False)
        save_model(model, path, {"a": 1}, {"b": np.arange(2)})
        check_whole(path)
        load_model(path)
        note, arrays = read_note(path)
        assert note == {"a": 1} and arrays["b"].tolist() == [0, 1]
        content = path.read_bytes()
        for place in range(100, len(content), len(content) // 20):
            path.write_bytes(content[:place] + bytes([content[place] ^ 8]) + content[place + 1 :])
            if zip_says_the_same(path, content):
                continue
            with pytest.raises(Damaged):
                check_whole(path)


@pytest.mark.once("torch")
class TestOtherwise:
    """What may be another on resuming, and what comes of it."""

    def begun(self, train, path, model=None, **changed):
        settings = kseg.Settings(**{**SETTINGS, **changed})
        kseg.fit(model or unet(), train, run=path, settings=settings)

    def rate(self, model, step):
        return float(model.optimizer._learning_rate(step))

    @pytest.mark.slow
    def test_more_data(self, train, tmp_path, capsys):
        """Epochs count as they did; the rate follows the schedule of the longer run."""
        self.begun(train, tmp_path / "run")
        more = kseg.data.shapes("train", size=(16, 16), count=20)
        model = kseg.fit(None, more, run=tmp_path / "run", resume=True, epochs=4)
        said = capsys.readouterr().out
        assert "other data than the run was begun with: 20, not 12" in said
        assert "the schedule is rebuilt for 4 epochs of 5 steps" in said
        assert int(model.optimizer.iterations) == 20
        assert self.rate(model, 10) > 5e-4 and self.rate(model, 19) > 0
        assert [row["step"] for row in rows(tmp_path / "run")] == [3, 6, 15, 20]

    @pytest.mark.slow
    def test_more_data_within_an_epoch(self, train, tmp_path, capsys):
        with pytest.raises(KeyboardInterrupt):
            kseg.fit(
                unet(),
                train,
                run=tmp_path / "run",
                settings=kseg.Settings(**SETTINGS),
                callbacks=[StopAfter(4)],
            )
        more = kseg.data.shapes("train", size=(16, 16), count=20)
        model = kseg.fit(None, more, run=tmp_path / "run", resume=True)
        assert "epoch 2 begins anew: an epoch has 5 steps now, not 3" in capsys.readouterr().out
        assert int(model.optimizer.iterations) == 10

    def test_a_schedule_of_the_users_that_is_over(self, train, tmp_path):
        """Never at rate 0 in silence."""
        model = unet()
        schedule = keras.optimizers.schedules.CosineDecay(0.01, 6)
        model.compile(keras.optimizers.SGD(schedule), kseg.DiceLoss())
        settings = kseg.Settings(**SETTINGS)
        kseg.fit(model, train, run=tmp_path / "run", settings=settings, compile="own")
        with pytest.raises(ValueError, match="epochs=5: expected at most 2, .* rate 0"):
            kseg.fit(None, train, run=tmp_path / "run", resume=True, epochs=5)

    @pytest.mark.slow
    def test_a_decay_of_the_users_is_kept(self, train, tmp_path):
        model = unet()
        optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
        model.compile(optimizer, kseg.DiceLoss())
        with pytest.raises(KeyboardInterrupt):
            kseg.fit(
                model,
                train,
                run=tmp_path / "run",
                settings=kseg.Settings(**SETTINGS),
                callbacks=[StopAfter(2)],
            )
        resumed = kseg.fit(None, train, run=tmp_path / "run", resume=True)
        left = {
            v.path
            for v in resumed.trainable_variables
            if not resumed.optimizer._use_weight_decay(v)
        }
        assert left == {v.path for v in model.trainable_variables if v.name in ("bias", "gamma")}

    @pytest.mark.slow
    def test_settings_left_open_are_the_runs(self, train, tmp_path):
        self.begun(train, tmp_path / "run", learning_rate=0.003)
        kseg.fit(None, train, run=tmp_path / "run", resume=True, epochs=3)
        assert kseg.Run.open(tmp_path / "run").settings["learning_rate"] == 0.003
        text = (tmp_path / "run" / "settings.toml").read_text()
        assert "epochs = 3" in text and "learning_rate = 0.003" in text

    def test_nothing_is_left(self, train, tmp_path, capsys):
        self.begun(train, tmp_path / "run")
        kseg.fit(None, train, run=tmp_path / "run", resume=True)
        assert "nothing is left to learn" in capsys.readouterr().out


@pytest.mark.once("torch")
class TestWhatElseEndsATraining:
    def test_patience(self, train, val, tmp_path, capsys):
        """The loss falls, so that the first is the highest: it stops, and stays stopped."""
        ours = {"epochs": 9, "monitor": "loss", "mode": "max", "learning_rate": 0.02}
        settings = kseg.Settings(**{**SETTINGS, **ours}, patience=1)
        kseg.fit(unet(), train, val, run=tmp_path / "run", settings=settings)
        assert len(rows(tmp_path / "run")) == 2
        assert "has not been better for 1 validation" in capsys.readouterr().out
        kseg.fit(None, train, val, run=tmp_path / "run", resume=True)
        assert len(rows(tmp_path / "run")) == 2
        assert "it had stopped by itself" in capsys.readouterr().out
        kseg.fit(
            None, train, val, run=tmp_path / "run", settings={"run": {"patience": 2}}, resume=True
        )
        assert len(rows(tmp_path / "run")) == 3
        kseg.fit(None, train, val, run=tmp_path / "run", resume=True, epochs=20)
        assert len(rows(tmp_path / "run")) == 5  # each of the new ones was lower

    def test_the_average_where_nothing_is_validated(self, train, tmp_path):
        settings = kseg.Settings(**SETTINGS, ema_momentum=0.9)
        model = kseg.fit(unet(), train, run=tmp_path / "run", settings=settings)
        assert same(kseg.Run.open(tmp_path / "run").load_model(), model)
        assert not same(kseg.Run.open(tmp_path / "run").load_model("last"), model)

    def test_a_watched_score_of_which_there_is_nothing(self, train, tmp_path, capsys):
        val = kseg.data.shapes("val", size=(16, 16), count=1)
        name = next(
            each
            for each, score in kseg.evaluate(unet(), val)["classes"].items()
            if np.isnan(score["accuracy"])
        )
        settings = {**SETTINGS, "epochs": 3, "patience": 2}
        settings = kseg.Settings(**settings, monitor=f"val_accuracy.{name}")
        kseg.fit(unet(), train, val, run=tmp_path / "run", settings=settings)
        said = capsys.readouterr().out
        assert said.count(f"warning: val_accuracy.{name} is NaN, for nothing of it") == 1
        assert len(rows(tmp_path / "run")) == 2
        assert not (tmp_path / "run" / "best.keras").exists()

    @pytest.mark.slow
    def test_the_best_by_another_column(self, train, val, tmp_path):
        settings = kseg.Settings(**SETTINGS, monitor="val_iou.circle", learning_rate=0.05)
        name = train.class_names[1]
        settings = dataclasses.replace(settings, monitor=f"val_iou.{name}")
        kseg.fit(unet(), train, val, run=tmp_path / "run", settings=settings)
        scores = kseg.evaluate(kseg.Run.open(tmp_path / "run").load_model("best"), val)
        best = max(row[f"val_iou.{name}"] for row in rows(tmp_path / "run"))
        assert scores["classes"][name]["iou"] == pytest.approx(best, abs=1e-6)
        with pytest.raises(ValueError, match="monitor='val_mean_iuo'.*Did you mean 'val_mean_iou'"):
            kseg.fit(
                unet(),
                train,
                val,
                run=tmp_path / "other",
                settings=kseg.Settings(**SETTINGS, monitor="val_mean_iuo"),
            )

    def test_callbacks_remember(self, train, tmp_path):
        """`EarlyStopping` counts on where it was."""
        settings = kseg.Settings(**{**SETTINGS, "epochs": 6}, learning_rate=1e-9)
        early = keras.callbacks.EarlyStopping("mean_iou", mode="max", min_delta=1, patience=3)
        with pytest.raises(KeyboardInterrupt):
            stop = StopAfter(8)
            kseg.fit(
                unet(), train, run=tmp_path / "run", settings=settings, callbacks=[early, stop]
            )
        early = keras.callbacks.EarlyStopping("mean_iou", mode="max", min_delta=1, patience=3)
        kseg.fit(None, train, run=tmp_path / "run", resume=True, callbacks=[early])
        assert [row["epoch"] for row in rows(tmp_path / "run")] == [1, 2, 3, 4]


@pytest.mark.once("torch")
class TestFrozenAtFirst:
    SETTINGS = {**SETTINGS, "epochs": 3, "freeze_epochs": 1, "learning_rate": 0.01}

    @pytest.mark.slow
    def test_the_encoder_waits_and_then_learns(self, train, tmp_path, capsys):
        model = with_dropout()
        start = [value.copy() for value in encoder_of(model).get_weights()]
        seen = {}

        class Look(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                seen[epoch] = [v.copy() for v in encoder_of(self.model).get_weights()]

        settings = kseg.Settings(**self.SETTINGS)
        kseg.fit(model, train, run=tmp_path / "run", settings=settings, callbacks=[Look()])
        moved = {
            epoch: [not np.array_equal(a, b) for a, b in zip(start, values)]
            for epoch, values in seen.items()
        }
        assert not any(moved[0]) and all(moved[2])  # statistics of batch norms too
        assert "the encoder learns from now on" in capsys.readouterr().out

    @pytest.mark.slow
    @pytest.mark.parametrize("steps", [2, pytest.param(5, marks=pytest.mark.slow)])
    def test_it_goes_on_to_the_bit(self, train, tmp_path, steps):
        """Stopped while it is frozen, and after."""
        settings = kseg.Settings(**self.SETTINGS)
        whole = kseg.fit(with_dropout(), train, run=tmp_path / "whole", settings=settings)
        with pytest.raises(KeyboardInterrupt):
            kseg.fit(
                with_dropout(),
                train,
                run=tmp_path / "parts",
                settings=settings,
                callbacks=[StopAfter(steps)],
            )
        parts = kseg.fit(None, train, run=tmp_path / "parts", resume=True)
        assert same(whole, parts) and rows(tmp_path / "whole") == rows(tmp_path / "parts")

    def test_what_cannot_be_frozen(self, train, tmp_path):
        with pytest.raises(ValueError, match="freeze_epochs=1: expected 0, .*no encoder"):
            kseg.fit(unet(), train, run=tmp_path / "r", settings=kseg.Settings(**self.SETTINGS))

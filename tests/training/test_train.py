"""Training: what is kept, how it is stopped, killed and resumed."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from instance_model import InstanceModel
from training.small import small_model

import kseg
from kseg.checks.statistics import class_weights
from kseg.training.optimizers import schedule
from kseg.training.settings import from_dict

SETTINGS = {
    "size": (32, 32),
    "batch_size": 4,
    "epochs": 3,
    "checkpoint_steps": 2,
    "learning_rate": 1e-2,
}


class StopAfter(keras.callbacks.Callback):
    """Sends Ctrl-C to the process after a number of steps."""

    def __init__(self, steps, number=signal.SIGINT):
        super().__init__()
        self.left, self.number = steps, number

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)


@pytest.mark.slow
@pytest.mark.once("torch")
def test_run_folder(sources, tmp_path, capsys):
    train, val = sources
    model = kseg.fit(
        small_model(), train, val, run=tmp_path / "run", settings=kseg.Settings(**SETTINGS)
    )
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "run.json",
        "settings.toml",
        "history.csv",
        "last.keras",
        "previous.keras",
        "best.keras",
    }
    run = kseg.Run.open(tmp_path / "run")
    history = run.history()
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert [row["step"] for row in history] == [5, 10, 15]
    assert history[-1]["loss"] < history[0]["loss"]
    best = run.load_model("best")
    scores = kseg.evaluate(best, val)
    assert scores["mean_iou"] == pytest.approx(max(r["val_mean_iou"] for r in history), abs=1e-6)
    last = run.load_model("last")
    np.testing.assert_allclose(
        last.predict(val.columns["image"], verbose=0),
        model.predict(val.columns["image"], verbose=0),
        atol=1e-5,
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == 3 and lines[2].startswith("epoch 3/3") and "val_mean_iou" in lines[2]


@pytest.fixture(scope="module")
def whole(sources, tmp_path_factory):
    """A model trained without interruption."""
    run = tmp_path_factory.mktemp("whole") / "run"
    return kseg.fit(small_model(), *sources, run=run, settings=kseg.Settings(**SETTINGS))


@pytest.mark.slow
@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "stop_after",  # at the end of an epoch, and within one
    [
        5,
        *(pytest.param(steps, marks=pytest.mark.slow) for steps in (4, 7)),
    ],
)
def test_a_stopped_run_ends_as_if_it_had_not_been(sources, whole, tmp_path, stop_after):
    train, val = sources
    settings = kseg.Settings(**SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        kseg.fit(
            small_model(),
            train,
            val,
            run=tmp_path / "parts",
            settings=settings,
            callbacks=[StopAfter(stop_after)],
        )
    stopped = kseg.Run.open(tmp_path / "parts").load_model("last")
    assert abs(int(stopped.optimizer.iterations) - stop_after) <= 1
    resumed = kseg.fit(None, train, val, run=tmp_path / "parts", resume=True)
    assert int(resumed.optimizer.iterations) == 15
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        # Adam turns the rounding noise of a gradient near zero into steps of up to 1e-2
        np.testing.assert_allclose(a, b, atol=2e-3)
    epochs = [row["epoch"] for row in kseg.Run.open(tmp_path / "parts").history()]
    assert epochs == [1, 2, 3]


KILLED = """
import sys, keras, kseg
keras.utils.set_random_seed(0)
train = kseg.data.shapes("train", size=(32, 32), count=400)
settings = kseg.Settings(size=(32, 32), batch_size=4, epochs=50, checkpoint_steps=5)
kseg.fit(kseg.build_unet(6, width=4, depth=1), train, run=sys.argv[1], settings=settings)
"""


@pytest.mark.slow
@pytest.mark.once("torch")
def test_kill_9_loses_only_the_steps_since_the_checkpoint(tmp_path):
    run = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(run)])
    try:
        deadline = time.time() + 120
        while not (run / "last.keras").exists() and time.time() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    saved = kseg.Run.open(run).load_model("last")
    step = int(saved.optimizer.iterations)
    assert 5 <= step < 100 and step % 5 == 0  # in the middle of the first epoch
    settings = json.loads((run / "run.json").read_text())["settings"]
    settings = from_dict({**settings, "epochs": 1})
    train = kseg.data.shapes("train", size=(32, 32), count=400)
    resumed = kseg.fit(None, train, run=run, settings=settings, resume=True)
    assert int(resumed.optimizer.iterations) == 100


def test_labels_outside_the_classes_stop_the_run(sources, tmp_path):
    import dataclasses

    train, _ = sources
    columns = {**train.columns, "label": train.columns["label"] + 4}
    with pytest.raises(ValueError, match="label .* is outside the 6 classes"):
        kseg.fit(
            small_model(),
            dataclasses.replace(train, columns=columns),
            run=tmp_path / "run",
            settings=kseg.Settings(**SETTINGS),
        )
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten(sources, tmp_path):
    train, _ = sources
    kseg.Run(tmp_path, train.class_names, train.colors, 255, {}).write()
    (tmp_path / "last.keras").write_bytes(b"")
    with pytest.raises(ValueError, match="a folder that holds no run"):
        kseg.fit(small_model(), train, run=tmp_path)


@pytest.mark.once("torch")
def test_wrong_number_of_classes(sources, tmp_path):
    with pytest.raises(ValueError, match="4 classes but 'shapes/train' has 6"):
        kseg.fit(kseg.build_unet(4, width=2, depth=1), sources[0], run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_class_weights_by_hand():
    # frequencies .9 and .1; inverse 1.11 and 10; the mean over pixels .9*w0 + .1*w1 is 1
    np.testing.assert_allclose(class_weights([90, 10], 1.0), [5 / 9, 5.0])
    # square root: 1/sqrt(.9) = 1.0541, 1/sqrt(.1) = 3.1623; mean .9487 + .3162 = 1.2649
    np.testing.assert_allclose(class_weights([90, 10], 0.5), [0.83333, 2.5], rtol=1e-4)
    assert class_weights([1, 1, 0], 1.0) == [1.0, 1.0, 0.0]
    assert class_weights([1, 2], 0) is None


@pytest.mark.parametrize(
    "change", [{"batch_size": 0}, {"epochs": 0}, {"learning_rate": 0}, {"warmup": 2}]
)
def test_wrong_settings_are_named(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        kseg.Settings(**change)


@pytest.fixture(scope="module")
def objects():
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    options = {"size": (64, 64), "count": 8, "instances": True}
    return [kseg.data.shapes(split, **options) for split in ("train", "val")]


class TestOfObjects:
    """The same engine trains a model that finds objects."""

    SETTINGS = {**SETTINGS, "size": (64, 64), "epochs": 2, "validate_epochs": 2}

    def model(self):
        keras.utils.set_random_seed(0)
        image = x = keras.Input((None, None, 3))
        for stride in (2, 4, 8, 16, 32):
            x = keras.layers.Conv2D(8, 3, strides=2, padding="same", name=f"stride{stride}")(x)
        return kseg.build_mask_rcnn(
            5,
            encoder=keras.Model(image, x),
            fpn_width=8,
            box_width=8,
            mask_width=8,
            anchor_sizes=((8,), (16,), (32,), (48,), (64,)),
            train_proposals=32,
            predict_proposals=16,
            region_samples=16,
            mask_samples=4,
            detections=8,
            resize=None,
            seed=0,
        )

    @pytest.mark.once("torch")
    def test_a_run_is_kept_and_goes_on(self, objects, tmp_path):
        settings = kseg.Settings(**self.SETTINGS)
        with pytest.raises(KeyboardInterrupt):
            kseg.fit(
                self.model(),
                *objects,
                run=tmp_path,
                settings=settings,
                callbacks=[StopAfter(2)],  # stops at step 3, in the middle of the second epoch
            )
        model = kseg.fit(None, *objects, run=tmp_path, resume=True)
        assert int(model.optimizer.iterations) == 4
        rows = kseg.Run.open(tmp_path).history()
        assert [row["step"] for row in rows] == [2, 4]
        losses = ("objectness", "rpn_box", "classifier", "box", "mask")
        for row in rows:
            assert all(row[name] > 0 for name in losses)
            assert row["loss"] == pytest.approx(sum(row[name] for name in losses), rel=1e-4)
        assert {"val_mask_ap", "val_box_ap", "val_pq"} <= set(rows[1])
        assert kseg.Run.open(tmp_path).best().keys() == {
            "val_mask_ap",
            "val_mask_ap50",
            "val_box_ap",
            "val_pq",
        }

    def test_a_source_of_another_task_is_refused(self, objects, tmp_path):
        labels = kseg.data.shapes("train", size=(64, 64), count=4)
        with pytest.raises(ValueError, match="task 'semantic'.*instances=True"):
            kseg.fit(InstanceModel([], num_classes=5), labels, run=tmp_path)
        with pytest.raises(ValueError, match="task 'instance'.*instances=False"):
            kseg.fit(small_model(), objects[0], run=tmp_path)
        assert not any(tmp_path.iterdir())


@pytest.mark.once("torch")
class TestResumedOtherwise:
    """What is given beside `resume` is followed or refused."""

    @pytest.fixture(scope="class")
    @classmethod
    def begun(cls, sources, tmp_path_factory):
        """A run of one epoch."""
        path = tmp_path_factory.mktemp("begun") / "run"
        settings = kseg.Settings(**{**SETTINGS, "epochs": 1})
        kseg.fit(small_model(), sources[0], run=path, settings=settings)
        return path

    @pytest.fixture
    def run(self, begun, tmp_path):
        return kseg.Run.open(shutil.copytree(begun, tmp_path / "run"))

    def resumed(self, run, train, **changed):
        settings = kseg.Settings(**{**run.settings, **changed})
        return kseg.fit(None, train, run=run.path, resume=True, settings=settings)

    @pytest.mark.slow
    def test_a_longer_run(self, sources, run):
        """As long as it says, at the rates of a run of that length."""
        before = run.load_model("last").get_weights()
        model = self.resumed(run, sources[0], epochs=3)
        assert [row["epoch"] for row in run.history()] == [1, 2, 3]
        assert max(float(np.abs(a - b).max()) for a, b in zip(before, model.get_weights())) > 1e-3
        longer = schedule(kseg.Settings(**{**SETTINGS, "epochs": 3}), 15)
        for step in (5, 10, 15):
            rate = model.optimizer._learning_rate(step)
            assert float(rate) == pytest.approx(float(longer(step)), rel=1e-5)
        again = kseg.Run.open(run.path)
        assert again.settings == {**run.settings, "epochs": 3}
        assert int(again.load_model("last").optimizer.iterations) == 15

    def test_a_run_shorter_than_it_is(self, sources, run):
        self.resumed(run, sources[0], epochs=2)
        with pytest.raises(ValueError, match="epochs=1: expected an integer >= 2"):
            self.resumed(run, sources[0], epochs=1)

    @pytest.mark.parametrize(
        "change",
        [
            {"learning_rate": 0.5},
            {"batch_size": 2},
            {"size": (64, 64)},
            {"scale": (1.0, 1.0)},
            {"jitter": 0.0},
            {"warmup": 0.0},
            {"weight_decay": 0.0},
            {"balance": 0.0},
            {"loss": "dice"},
            {"optimizer": "sgd"},
            {"seed": 3},
        ],
    )
    def test_what_a_run_keeps(self, sources, run, change):
        ((name, value),) = change.items()
        with pytest.raises(
            ValueError, match=rf"^{name}={re.escape(repr(value))}: expected .*begun"
        ):
            self.resumed(run, sources[0], **change)

    def test_other_arguments(self, sources, run):
        resume = {"run": run.path, "resume": True}
        other = kseg.data.shapes("train", size=(32, 32), count=4, instances=True)
        for arguments, message in (
            ({"compile": "kseg"}, "compile='kseg': expected None with resume=True"),
            ({"data": {"spec": "shapes"}}, "data=.*begun"),
        ):
            with pytest.raises(ValueError, match=message):
                kseg.fit(None, sources[0], **resume, **arguments)
        with pytest.raises(ValueError, match="train=.*expected a source of the run's classes"):
            kseg.fit(None, dataclasses.replace(sources[0], class_names=tuple("abcdef")), **resume)
        with pytest.raises(ValueError, match="train=.*expected a source of the run's classes"):
            kseg.fit(None, other, **resume)


@pytest.mark.once("torch")
def test_the_size_of_crops_is_the_checks(sources, tmp_path, capsys):
    train = kseg.data.shapes("train", size=(70, 100), count=4)
    model = kseg.build_unet(6, width=2, depth=1)
    kseg.fit(model, train, run=tmp_path / "run", settings=kseg.Settings(epochs=1, batch_size=2))
    assert kseg.Run.open(tmp_path / "run").settings["size"] == [64, 96]
    assert "crops of 64x96 pixels" in capsys.readouterr().out

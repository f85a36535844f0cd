"""Run folders, and models that move between backends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kseg
from kseg.base.atomic import replacing
from kseg.models.saving import load_model, save_model
from kseg.runs.run import Run

BACKENDS = ("tensorflow", "jax", "torch")

TRAIN_AND_SAVE = """
import sys, numpy as np, keras, kseg
from kseg.models.saving import save_model
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
images, labels = rng.integers(0, 256, (4, 33, 47, 3), "uint8"), rng.integers(0, 3, (4, 33, 47))
model = kseg.build_unet(3, width=4, depth=1)
model.fit(images, labels, batch_size=2, epochs=2, verbose=0)
save_model(model, sys.argv[1] + "/model.keras")
np.save(sys.argv[1] + "/logits.npy", model.predict(images, verbose=0))
np.save(sys.argv[1] + "/loss.npy", model.train_on_batch(images, labels)[0])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            other,
            marks=[
                pytest.mark.backends(
                    *(set(BACKENDS) - {other}), reason="the other two are what is tested here"
                ),
                pytest.mark.once(after),
                *([pytest.mark.slow] if other != "jax" else []),  # round all three by hand
            ],
        )
        for other, after in zip(BACKENDS, BACKENDS[1:] + BACKENDS[:1])
    ],
)
def test_weights_logits_and_training_move_between_backends(other, tmp_path):
    """Trained on `other`, here: the same logits, the same optimizer state, the same next step."""
    pytest.importorskip(other)
    subprocess.run(
        [sys.executable, "-c", TRAIN_AND_SAVE, str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": other},
        check=True,
        capture_output=True,
    )
    model = load_model(tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 33, 47, 3), "uint8")
    labels = rng.integers(0, 3, (4, 33, 47))
    logits = model.predict(images, verbose=0)
    np.testing.assert_allclose(logits, np.load(tmp_path / "logits.npy"), atol=1e-4)
    assert int(model.optimizer.iterations) == 4
    loss = model.train_on_batch(images, labels)[0]
    np.testing.assert_allclose(loss, np.load(tmp_path / "loss.npy"), rtol=1e-4)
    assert int(model.optimizer.iterations) == 5
    model.fit(images, labels, verbose=0)


@pytest.mark.once("torch")
def test_optimizer_state_survives(tmp_path):
    model = kseg.build_unet(2, width=2, depth=1)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (2, 16, 16, 3), "uint8"), rng.integers(0, 2, (2, 16, 16))
    for _ in range(3):
        model.train_on_batch(images, labels)
    save_model(model, tmp_path / "m.keras")
    loaded = load_model(tmp_path / "m.keras")
    for old, new in zip(model.optimizer.variables, loaded.optimizer.variables):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(old), keras.ops.convert_to_numpy(new)
        )


def test_run_round_trip(tmp_path):
    run = Run(tmp_path / "r", ("a", "b"), ((0, 0, 0), (1, 2, 3)), 255, {"epochs": 3}, {"spec": "x"})
    run.write()
    assert Run.open(tmp_path / "r") == run
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "val_mean_iou": 0.75}]
    run.write_history(rows)
    assert run.history() == rows
    nothing = {"epoch": 0, "val_mean_iou": float("nan"), "val_pq": float("nan")}
    run.write_history([nothing, *rows])
    assert run.best() == {"val_mean_iou": 0.75}


@pytest.mark.once("torch")
def test_who_trained_it_is_said(tmp_path, capsys):
    run = Run(tmp_path / "r", ("a", "b"), ((0, 0, 0), (1, 2, 3)), 255, {})
    run.write()
    run.say_if_of_others()
    file = run.path / "run.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "keras": "3.9.0", "backend": "jax"}))
    run.say_if_of_others()
    assert capsys.readouterr().out == (
        f"trained so far by keras 3.9.0, not {keras.__version__}, backend jax, not torch: it goes "
        "on, but not to the bit\n"
    )


def test_replacing_leaves_nothing_half_written(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("whole")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("ha")
        raise RuntimeError
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run folder"):
        Run.open(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="run.json"):
        Run.open(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"version": 99}))
    with pytest.raises(ValueError, match="newer"):
        Run.open(tmp_path)


def test_a_damaged_model_is_named(tmp_path):
    path = Path(tmp_path / "last.keras")
    with pytest.raises(FileNotFoundError, match="last.keras"):
        load_model(path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match="last.keras"):
        load_model(path)

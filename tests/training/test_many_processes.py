"""Real processes that train one run together: long proofs, run by hand with `pytest -m slow`."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from started_processes import ROOT, alone, free_port, seen, started, together
from test_devices import CLOSE, compare
from trained_on_devices import trained

import kseg

pytestmark = pytest.mark.slow

BACKEND = keras.backend.backend()
SEVERAL = pytest.mark.backends("jax", "torch", reason="several processes")


@SEVERAL
def test_two_processes(tmp_path):
    network = {"width": 4, "depth": 2}
    options = {"count": 14, "side": 96, "size": (64, 64), "network": network}
    codes, outputs = together(tmp_path / "two", 2, **options)
    assert codes == [0, 0], outputs
    two, other = seen(tmp_path / "two"), seen(tmp_path / "two", 1)
    compare(two, trained(tmp_path / "one", **options))
    assert other["weights"] == two["weights"]
    np.testing.assert_allclose(other["losses"], two["losses"], rtol=1e-6)


def test_feature_maps_computed_again(tmp_path):
    """By two devices as by one that keeps them; in one process after another network."""
    options = {"count": 10, "side": 64, "network": {"width": 4, "depth": 1}, "epochs": 1}
    twice = {**options, "remat": True}
    if BACKEND == "torch":
        codes, outputs = together(tmp_path / "two", 2, batch_size=5, **twice)
        assert codes == [0, 0], outputs
        one = trained(tmp_path / "one", batch_size=5, **options)
        return compare(seen(tmp_path / "two"), one)
    other = {**options, "network": {"width": 2, "depth": 1}, "devices": 2}
    asked = {"one": {"devices": 1, **options}, "other": other, "two": {"devices": 2, **twice}}
    one, _, two = alone(*((tmp_path / name, each) for name, each in asked.items()))
    compare(two, one)


@pytest.mark.backends("torch", reason="parts that are not equal")
def test_three_processes_with_uneven_parts(tmp_path):
    codes, outputs = together(tmp_path / "three", 3)
    assert codes == [0, 0, 0], outputs
    compare(seen(tmp_path / "three"), trained(tmp_path / "one"))


def test_mask_rcnn(tmp_path):
    """Also with feature maps computed again, and where one device goes on with a run of two.

    Of 5 photos, with as many objects as they have. Choices among near-equal scores of proposals may
    fall either way by what sums round to: then losses part by 1e-3 and more.
    """
    options = {"objects": True, "count": 5, "side": 64}
    rest = {**options, "resume": True, "epochs": 2, "devices": 1}
    if BACKEND == "torch":
        for name, remat in (("two", False), ("again", True)):
            codes, outputs = together(tmp_path / name, 2, **options, remat=remat)
            assert codes == [0, 0], outputs
        one = trained(tmp_path / "one", **options)
        two, again = (seen(tmp_path / name) for name in ("two", "again"))
        rests = [trained(tmp_path / name, **rest) for name in ("one", "two")]
    else:
        asked = {"one": {"devices": 1}, "two": {"devices": 2}, "again": {"devices": 2}}
        asked["again"]["remat"] = True
        runs = [(tmp_path / name, {**options, **each}) for name, each in asked.items()]
        one, two, again = alone(*runs)
        rests = alone(*((tmp_path / name, rest) for name in ("one", "two")))
    assert len(one["losses"]) == len(rests[0]["losses"]) == 2
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=CLOSE)
    np.testing.assert_allclose(again["losses"], one["losses"], rtol=CLOSE)
    np.testing.assert_allclose(rests[1]["losses"], rests[0]["losses"], rtol=CLOSE)


@SEVERAL
def test_a_killed_worker_and_resume_with_one(tmp_path):
    """The other ends with a message and no hang; one process goes on as if nothing had happened."""
    whole = trained(tmp_path / "whole")
    codes, outputs = together(tmp_path / "run", 2, die_at=3)
    assert codes[1] == -9
    assert codes[0] not in (0, None)
    assert "a worker of this training is gone" in outputs[0] or BACKEND == "jax", outputs[0]
    assert (tmp_path / "run" / "last.keras").is_file()
    rest = trained(tmp_path / "run", resume=True, devices=1)
    done = len(whole["losses"]) - len(rest["losses"])
    assert 2 <= done <= 3
    np.testing.assert_allclose(rest["losses"], whole["losses"][done:], rtol=CLOSE)
    weights = [np.array(each) for each in rest["weights"]]
    for one, other in zip(weights, whole["weights"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@SEVERAL
def test_a_run_of_one_goes_on_with_two(tmp_path):
    whole = trained(tmp_path / "whole")

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            os.kill(os.getpid(), 2)  # as Ctrl-C, after the first step

    train = kseg.data.shapes("train", size=(32, 32), count=10)
    val = kseg.data.shapes("val", size=(32, 32), count=3)
    from trained_on_devices import SMALL

    with pytest.raises(KeyboardInterrupt):
        settings = kseg.Settings(**SMALL)
        kseg.fit(None, train, val, run=tmp_path / "run", settings=settings, callbacks=[Stop()])
    codes, outputs = together(tmp_path / "run", 2, resume=True)
    assert codes == [0, 0], outputs
    rest = seen(tmp_path / "run")["losses"]
    expected = whole["losses"][-len(rest) :]
    # the mean of the epoch that changes hands weighs a step by the rows of one worker
    np.testing.assert_allclose(rest[0], expected[0], rtol=0.01)
    np.testing.assert_allclose(rest[1:], expected[1:], rtol=CLOSE)


@SEVERAL
def test_the_command(tmp_path):
    """`kseg fit` in two processes: one writes, speaks and draws."""
    port = free_port()
    command = "fit shapes --run run --size 32x32 --epochs 1 --width 2 --depth 1 --batch-size 80"
    every = []
    for place in range(2):
        process = started([], 2, place, port, ["-m", "kseg", *command.split()], tmp_path)
        every.append(process)
    outputs = [each.communicate(timeout=500)[0] for each in every]
    assert [each.returncode for each in every] == [0, 0], outputs
    assert "mean IoU" in outputs[0] and "pictures and model in run" in outputs[0]
    assert "mean IoU" not in outputs[1]
    assert {"best.keras", "validation.png"} <= {each.name for each in (tmp_path / "run").iterdir()}


@pytest.mark.backends("tensorflow", reason="a strategy of TensorFlow")
def test_multi_worker_mirrored_still_fails_in_keras(tmp_path):
    """Where this fails, Keras' `fit` has learned it: kseg may then take several machines too."""
    script = (
        "import numpy as np, tensorflow as tf, keras\n"
        "s = tf.distribute.MultiWorkerMirroredStrategy()\n"
        "with s.scope():\n"
        "    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])\n"
        "    model.compile('sgd', 'mse')\n"
        "x = tf.data.Dataset.from_tensor_slices((np.ones((8, 3)), np.ones((8, 1)))).batch(4)\n"
        "model.fit(x, verbose=0)\n"
    )
    ports = [free_port(), free_port()]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    every = []
    for place in range(2):
        task = {"cluster": cluster, "task": {"type": "worker", "index": place}}
        told = {**os.environ, "TF_CONFIG": json.dumps(task), "PYTHONPATH": str(ROOT)}
        every.append(
            subprocess.Popen(
                [sys.executable, "-c", script],
                env=told,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        output = every[0].communicate(timeout=300)[0]
    finally:
        for each in every:
            each.kill()
            each.communicate()
    assert every[0].returncode != 0
    assert "PerReplica" in output

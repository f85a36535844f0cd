"""Devices that share each step: they learn what one alone would have; what cannot be is refused."""

import json
import pickle

import keras
import numpy as np
import pytest
from every_argument.inputs import finder, scenes, unet
from instance_model import source_of
from started_processes import alone, seen, together
from trained_on_devices import trained

import kseg
from kseg.training.devices import started
from kseg.training.devices.finding import check_batch, opened
from kseg.training.devices.lost import WorkerLost, lost
from kseg.training.devices.one import Devices
from kseg.training.devices.validation import scored

CLOSE = 1e-5  # relative, of the losses of a training


def compare(several, one):
    """The same steps, and the same losses, as a single device's.

    Scores are of weights that differ by rounding, which turns some pixels of a network that has
    learned little: `test_a_shared_validation_is_exact` counts with equal ones.
    """
    np.testing.assert_allclose(several["losses"], one["losses"], rtol=CLOSE)
    assert len(one["history"]) == len(several["history"]) > 0
    for here, there in zip(several["history"], one["history"]):
        here, there = dict(here), dict(there)
        here.pop("images_per_second"), there.pop("images_per_second")
        assert here.keys() == there.keys() and here["step"] == there["step"]
        assert here["loss"] == pytest.approx(there["loss"], rel=1e-4)
        assert here == pytest.approx(there, rel=0.02)


@pytest.mark.once("jax")
@pytest.mark.backends("tensorflow", "jax", reason="two devices in one process")
def test_two_devices_learn_as_one(tmp_path):
    network = {"width": 4, "depth": 1}
    # of 32 x 32 pixels XLA adds up the loss one by one: 1e-5 from the sum in float64
    options = {"count": 14, "side": 96, "size": (64, 64), "network": network, "epochs": 1}
    runs = [(tmp_path / name, {"devices": n, **options}) for n, name in ((1, "one"), (2, "two"))]
    one, two = alone(*runs)
    compare(two, one)


@pytest.mark.slow
@pytest.mark.backends("torch", reason="processes that need no compiler")
def test_two_processes_learn_as_one(tmp_path):
    """Each batch of 5 in parts of 2 and 3; of 3 photos one is validated by the second."""
    codes, outputs = together(tmp_path / "two", 2, batch_size=5)
    assert codes == [0, 0], outputs
    two, other = (seen(tmp_path / "two", place) for place in range(2))
    compare(two, trained(tmp_path / "one", batch_size=5))
    assert other["weights"] == two["weights"]
    # Keras' mean counts the rows of the worker's own part, 2 or 3: another rounding
    np.testing.assert_allclose(other["losses"], two["losses"], rtol=1e-6)
    assert "epoch 2/2" in outputs[0]
    assert "epoch" not in outputs[1]


@pytest.mark.backends("tensorflow", reason="its strategies number their sums")
def test_trainings_of_a_process_share_a_strategy():
    """Another of the same devices would begin to count anew, and meet the shapes of the first."""
    from kseg.training.devices.on_tensorflow import Mirrored

    assert Mirrored.of(1).strategy is Mirrored.of(1).strategy


class Half(Devices):
    """One of two processes, of which the other has said what it has to say."""

    processes = 2

    def __init__(self, process, said):
        self.process, self.said = process, said

    def gathered(self, value):
        self.said[self.process] = pickle.dumps(value)
        return [pickle.loads(self.said.get(place, pickle.dumps(value))) for place in range(2)]


@pytest.mark.once("torch")
@pytest.mark.parametrize("kind", ["labels", "objects"])
def test_a_shared_validation_is_exact(kind):
    """Of three photos one has the second process; the scores are those of one, to the bit."""
    if kind == "labels":
        model, val = unet(), scenes("val", 3)
    else:
        model = finder()
        val = source_of(model.found)
    whole = dict(kseg.evaluate(model, val))
    said = {}
    for process in (1, 0):
        shared = scored(model, val, 2, Half(process, said))
    for name in shared.keys() & whole.keys():
        np.testing.assert_equal(shared[name], whole[name], err_msg=name)
    assert shared["images"] == 3


@pytest.mark.once("torch")
def test_a_step_of_a_users_own_is_taken_and_left(monkeypatch):
    """A function set on one model stands before that of its class."""
    from kseg.training.devices.on_torch import TorchProcesses

    monkeypatch.setattr(TorchProcesses, "_make_equal", lambda self, model: None)
    one = object.__new__(TorchProcesses)
    one.process, one.processes = 0, 1
    model = unet()
    with one.training(model, 4):
        assert vars(model)["train_step"] is not None
    assert "train_step" not in vars(model)
    model.train_step = step = lambda data: {"loss": data}
    with one.training(model, 4):
        assert model.train_step(7) == {"loss": 7}
    assert model.train_step is step


class TestRefused:
    @pytest.mark.backends("tensorflow", "jax", reason="parts of any size on PyTorch")
    def test_parts_must_be_equal(self):
        devices = Devices()
        devices.count = 4
        if keras.backend.backend() == "tensorflow":
            from kseg.training.devices.on_tensorflow import Mirrored

            devices.uneven = Mirrored.uneven
        else:
            from kseg.training.devices.on_jax import DataParallel

            devices.uneven = DataParallel.uneven
        with pytest.raises(ValueError) as error:
            check_batch(devices, 6)
        assert str(error.value) == (
            "batch_size=6: expected a multiple of the 4 devices that share it. Give 4, or train on "
            "3 of the devices."
        )
        check_batch(devices, 8)

    @pytest.mark.once("torch")
    def test_each_device_has_a_row(self):
        devices = Devices()
        devices.count = 4
        with pytest.raises(ValueError, match="batch_size=3: expected 4 or more, .* Give 4, or tr"):
            check_batch(devices, 3)
        check_batch(devices, 5)

    def test_more_devices_than_there_are(self):
        with pytest.raises(ValueError, match=r"^devices=64: expected "):
            opened(64)
        assert opened(1).count == 1

    @pytest.mark.once("torch")
    def test_a_word(self):
        with pytest.raises(ValueError, match="devices='two': expected a number of them, or 'all'"):
            kseg.Settings(devices="two")
        assert kseg.Settings(devices="all").devices == "all"

    def test_processes_of_another_backend(self, monkeypatch):
        """Each backend is told of its processes in one way, and what is for another is refused."""
        backend = keras.backend.backend()
        foreign = {
            "torch": {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"},
            "jax": {"WORLD_SIZE": "2"},
            "tensorflow": {"TF_CONFIG": json.dumps({"cluster": {"worker": ["a:1", "b:1"]}})},
        }[backend]
        for name, value in foreign.items():
            monkeypatch.setenv(name, value)
        expected = rf"^{name}=2: expected (none on|one process on .*\. Unset TF_CONFIG for)"
        with pytest.raises(ValueError, match=expected):
            opened(None)

    @pytest.mark.once("jax")
    def test_processes_that_are_joined_too_late(self, monkeypatch):
        keras.ops.zeros(1) + 1
        monkeypatch.setenv(started.KERAS, "2")
        monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "127.0.0.1:1")
        monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", "0")
        with pytest.raises(ValueError, match=r"Call keras\.distribution\.initialize\(\) first"):
            opened(None)


@pytest.mark.once("torch")
class TestLost:
    def test_a_lost_worker_is_a_message(self):
        with pytest.raises(WorkerLost) as error, lost():
            raise RuntimeError("[tcp/pair.cc:537] Read error: Connection reset by peer.\nmore")
        assert "start the workers again, as many or fewer, with resume=True." in str(error.value)
        assert str(error.value).endswith("Connection reset by peer.)")

    def test_another_error_is_itself(self):
        with pytest.raises(RuntimeError, match="^out of memory$"), lost():
            raise RuntimeError("out of memory")


@pytest.mark.slow
@pytest.mark.once("torch")
def test_the_devices_of_a_run_that_goes_on(tmp_path):
    """They are of a start: another number is no other recipe."""
    kseg.fit(None, scenes(), run=tmp_path / "run", settings=small(), devices=1)
    assert kseg.Run.open(tmp_path / "run").settings["devices"] == 1
    with pytest.raises(ValueError, match=r"devices=2: expected 1, the processes that train"):
        kseg.fit(None, scenes(), run=tmp_path / "run", resume=True, devices=2)
    kseg.fit(None, scenes(), run=tmp_path / "run", resume=True, epochs=2)
    assert len(kseg.Run.open(tmp_path / "run").history()) == 2


def small():
    network = {"width": 2, "depth": 1}
    return kseg.Settings(size=(32, 32), batch_size=2, epochs=1, network=network)


@pytest.mark.backends("torch", reason="gradients in buckets")
def test_gradients_are_sent_in_buckets_of_one_type(monkeypatch):
    """The last first; a new one where 8 bytes are reached, or the type is another."""
    import torch

    from kseg.training.devices import on_torch

    monkeypatch.setattr(on_torch, "BUCKET", 8)
    grads = [torch.zeros(2), torch.zeros(1), torch.zeros(1), torch.zeros(1).half(), torch.zeros(3)]
    found = [[(each.numel(), each.dtype) for each in b] for b in on_torch.buckets(grads)]
    whole, half = torch.float32, torch.float16
    assert found == [[(3, whole)], [(1, half)], [(1, whole), (1, whole)], [(2, whole)]]
    assert list(on_torch.buckets([])) == []

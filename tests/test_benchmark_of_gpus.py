"""The script for a quarter of an hour on a GPU, tried on a CPU at tiny sizes."""

import importlib
import json
import math
import sys
from pathlib import Path

import keras
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SECTIONS = ("numbers", "models", "detection", "operations", "finite", "memory", "pipeline")
LONG = ("detection", "numbers", "memory", "pipeline", "finite")
NUMBERS = {
    "models": ("train ms", "train images/s", "predict ms", "predict images/s"),
    "detection": ("train ms", "predict ms"),
    "operations": ("ms",),
    "pipeline": ("pipeline images/s", "step images/s", "fed images/s"),
}

pytestmark = pytest.mark.once("torch")


@pytest.fixture(scope="module")
def gpu():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("gpu")
    sys.path.remove(str(FOLDER))


@pytest.mark.parametrize(
    "section", [pytest.param(each, marks=[pytest.mark.slow] * (each in LONG)) for each in SECTIONS]
)
def test_a_section(gpu, section):
    part = "unet bfloat16" if section == "models" else ""
    device, *rows = gpu.measured(keras.config.backend(), section, True, part)
    assert device == {"case": f"device {part}".strip(), "name": "cpu"} and rows
    for row in rows:
        assert all(0 < row[name] < math.inf for name in NUMBERS.get(section, ()))
        if section == "numbers":
            assert row["farthest"] == 0  # of the CPU from itself
        elif section == "finite":
            assert row["finite"] and row["last"] < row["first"]
        elif section == "memory":
            assert len(row["MB"]) == 6
    json.dumps(rows)
    keras.config.set_dtype_policy("float32")


def test_operations_of_a_network(gpu):
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same")(image)
    x = keras.layers.Conv2DTranspose(5, 2, strides=2)(keras.layers.DepthwiseConv2D(3)(x))
    inner = keras.Model(image, x)
    outer = keras.Model(image, keras.layers.Conv2D(4, 1)(inner(image)))
    # 16 x 20 -> 8 x 10 -> 6 x 8 -> 12 x 16
    expected = 80 * 9 * 3 * 8 + 48 * 9 * 8 + 48 * 4 * 8 * 5 + 192 * 5 * 4
    assert gpu.labels.convolved_operations(outer, (1, 16, 20, 3)) == 2 * expected


def test_the_table_says_what_is_missing(gpu, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "everyone", lambda section, backends: backends)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--minutes", "0", "--backends", "torch", "--tiny"])
    gpu.main()
    lines = capsys.readouterr().out.splitlines()
    assert f"keras {keras.__version__}" in lines[0]
    missing = [line.split() for line in lines[1:]]
    assert all(line[-5:] == ["left", "out", "no", "time", "left"] for line in missing)
    assert {line[0] for line in missing} == set(gpu.SECTIONS)
    modes = [line[2:-5] for line in missing if line[0] == "models"]
    assert ["unet", "bfloat16"] in modes and ["unet", "bfloat16", "jit_compile"] in modes


def test_processes_take_turns(gpu, monkeypatch, tmp_path):
    device = sys.modules["on_gpu.device"]
    lock = tmp_path / "lock"
    lock.touch()
    monkeypatch.setenv(device.LOCK, str(lock))
    with open(lock) as other:
        device.fcntl.flock(other, device.fcntl.LOCK_SH)
        with device.beside_others():
            with pytest.raises(BlockingIOError):
                device.fcntl.flock(other, device.fcntl.LOCK_EX | device.fcntl.LOCK_NB)
    with device.alone(), open(lock) as other, pytest.raises(BlockingIOError):
        device.fcntl.flock(other, device.fcntl.LOCK_SH | device.fcntl.LOCK_NB)


def test_peaks_by_the_name_of_a_device(gpu):
    device = gpu.Device("torch")
    assert device.peak("tf32") is None
    device.name = "NVIDIA H100 80GB HBM3"
    assert device.peak("bfloat16") == device.peak("float16") == 989e12
    device.name = "NVIDIA H100 PCIe"
    assert device.peak("tf32") == 378e12

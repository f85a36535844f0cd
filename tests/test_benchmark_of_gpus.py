"""The script for a quarter of an hour on a GPU, tried on a CPU at tiny sizes."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import keras
import pytest

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "gpu.py"
SECTIONS = ("numbers", "models", "detection", "operations", "finite", "memory", "pipeline")
NUMBERS = {
    "models": ("train ms", "train images/s", "predict ms", "predict images/s"),
    "detection": ("train ms", "predict ms"),
    "operations": ("ms",),
    "pipeline": ("pipeline images/s", "step images/s", "fed images/s"),
}

pytestmark = pytest.mark.once("torch")


@pytest.fixture(scope="module")
def gpu():
    spec = importlib.util.spec_from_file_location("gpu", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section(gpu, section):
    device, *rows = gpu.measured(keras.config.backend(), section, True)
    assert device == {"case": "device", "name": "cpu"} and rows
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
    assert gpu.convolved_operations(outer, (1, 16, 20, 3)) == 2 * expected


def test_the_table_says_what_is_missing(gpu, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "everyone", lambda section, backends: backends)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--minutes", "0", "--backends", "torch"])
    gpu.main()
    lines = capsys.readouterr().out.splitlines()
    assert f"keras {keras.__version__}" in lines[0]
    assert [line.split() for line in lines[1:]] == [
        [section, "torch", "left", "out", "no", "time", "left"] for section in gpu.SECTIONS
    ]


def test_peaks_by_the_name_of_a_device(gpu):
    device = gpu.Device("torch")
    assert device.peak("tf32") is None
    device.name = "NVIDIA H100 80GB HBM3"
    assert device.peak("bfloat16") == device.peak("float16") == 989e12
    device.name = "NVIDIA H100 PCIe"
    assert device.peak("tf32") == 378e12

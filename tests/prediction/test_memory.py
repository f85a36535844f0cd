"""How much a prediction may hold: little where nothing is known, a part of a GPU's memory."""

import keras
import pytest

from kseg.prediction import memory as module


@pytest.mark.parametrize(
    "of_gpu, expected", [(0, 3 << 28), (4 << 30, 3 << 28), (80 << 30, 10 << 30)]
)
def test_a_part_of_a_large_gpu(monkeypatch, of_gpu, expected):
    monkeypatch.setitem(module.OF_GPU, keras.backend.backend(), lambda: of_gpu)
    assert module.memory() == expected


def test_without_a_gpu():
    assert module.of_gpu() == 0 and module.memory() == module.MEMORY

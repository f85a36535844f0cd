"""A random start for large networks in tests, without what Keras' own costs on JAX."""

import keras
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def quick_start(monkeypatch):
    """He et al.'s start from NumPy: JAX compiles its own for each shape, half a minute a ResNet.

    Holds in a module that imports it.
    """
    rng = np.random.default_rng(0)

    def initial(self, shape, dtype=None):
        values = rng.standard_normal(shape, dtype="float32") * np.sqrt(2 / np.prod(shape[:-1]))
        return keras.ops.convert_to_tensor(values, dtype=dtype)

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", initial)

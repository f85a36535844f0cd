"""Graphs of TensorFlow are the same whatever Keras' backend: they are tested once."""

import keras
import pytest


@pytest.fixture
def on_tensorflow():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("a TensorFlow graph without Keras in it: tested on that backend")

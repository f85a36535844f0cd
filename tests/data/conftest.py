"""A Source compared both ways of reading it, and which tests which backend runs."""

from pathlib import Path

import numpy as np
import pytest

import kseg

# `kseg.data` is TensorFlow whatever the backend: beside these, its tests run where Keras is too
ON_EVERY_BACKEND = (
    "test_files.py",
    "test_folder.py",
    "test_keras_layers.py",
    "test_pipeline.py",
    "test_shapes.py",
)


@pytest.fixture(scope="session")
def same_eagerly():
    """Reads a source inside `tf.data`, compares it with `source[i]`, and returns the samples."""

    def check(source):
        read = list(kseg.data.samples(source))
        assert len(read) == len(source)
        for index, sample in enumerate(read):
            eager = source[index]
            assert eager.keys() == sample.keys()
            for key, value in sample.items():
                assert eager[key].dtype == value.dtype
                np.testing.assert_array_equal(eager[key], value)
        return read

    return check


def pytest_collection_modifyitems(items):
    only = pytest.mark.backends("tensorflow", reason="TensorFlow's own operations")
    for item in items:
        here = item.path.parent == Path(__file__).parent
        if here and item.path.name not in ON_EVERY_BACKEND:
            item.add_marker(only)

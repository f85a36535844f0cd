"""Graphs that are built once a process and called from others."""

import numpy as np
import pytest
import tensorflow as tf

from kseg.base.tensorflow import built_once, mapped

pytestmark = pytest.mark.once("tensorflow")


@pytest.fixture
def scaled():
    @built_once("image")
    def scaled(image, times, plus=(0, 0)):
        """What it does."""
        scaled.traced.append((times, plus))
        return image * times + sum(plus)

    scaled.traced = []
    return scaled


def test_a_graph_for_each_set_of_other_arguments(scaled):
    assert scaled.__name__ == "scaled" and scaled.__doc__ == "What it does."
    for size in (2, 3, 4):  # of any size, in one graph
        image = np.arange(size, dtype="int32")
        np.testing.assert_array_equal(scaled(image, 2), image * 2)
        np.testing.assert_array_equal(scaled(image, times=2, plus=(1, 2)), image * 2 + 3)
    assert scaled.traced == [(2, (0, 0)), (2, (1, 2))]
    assert scaled(np.ones((2, 2), "float32"), 2).dtype == "float32"  # another rank and type
    assert len(scaled.traced) == 3
    scaled.graph.cache_clear()
    scaled(np.ones(2, "int32"), 2)
    assert len(scaled.traced) == 4


def test_pipelines_share_it(scaled):
    for _ in range(3):
        ds = mapped(tf.data.Dataset.range(4), lambda index: scaled(tf.cast(index, tf.int32), 5))
        assert [int(number) for number in ds] == [0, 5, 10, 15]
    assert len(scaled.traced) == 1


def test_text_of_python_is_no_other_graph():
    traced = []

    @built_once("path")
    def length(path):
        traced.append(path)
        return tf.strings.length(path)

    assert [int(length(path)) for path in ("a", "bc", tf.constant("def"))] == [1, 2, 3]
    assert len(traced) == 1

"""Photos of one size, together."""

import keras
import numpy as np
import pytest

from kseg.prediction.batching import alike, filled, filled_count


@pytest.mark.parametrize("count, on_jax", [(1, 1), (2, 2), (3, 4), (5, 6), (6, 6)])
def test_an_incomplete_batch_is_filled_on_jax_alone(count, on_jax):
    images = np.arange(count * 4).reshape(count, 2, 2)
    wanted = on_jax if keras.backend.backend() == "jax" else count
    assert filled_count(count, 6) == wanted
    result = filled(images, 6)
    assert len(result) == wanted
    np.testing.assert_array_equal(result[:count], images)
    assert (result[count:] == images[-1]).all()


def test_batches_come_as_they_are_full():
    sizes = [1, 2, 1, 3, 1, 2, 1, 1]
    batches = list(alike(enumerate(sizes), lambda item: item[1], batch_size=2, held=100))
    assert [[index for index, _ in batch] for batch in batches] == [
        [0, 2],
        [1, 5],
        [4, 6],
        [3],
        [7],
    ]


def test_no_more_wait_than_may():
    items = ["a1", "b1", "b2", "c1", "a2"]  # the fourth is one too many: of b there are most
    batches = list(alike(items, lambda item: item[0], batch_size=3, held=3))
    assert batches == [["b1", "b2"], ["a1", "a2"], ["c1"]]

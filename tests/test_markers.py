"""The marker `backends`: which backends run a test."""

import keras
import pytest

OTHERS = [name for name in ("tensorflow", "jax", "torch") if name != keras.backend.backend()]


@pytest.mark.backends(*OTHERS, reason="this backend is left out")
def test_a_backend_that_is_not_named_does_not_run():
    raise AssertionError("ran on a backend that the marker does not name")


@pytest.mark.backends(keras.backend.backend())
def test_a_backend_that_is_named_runs(request):
    assert request.node.get_closest_marker("backends").args == (keras.backend.backend(),)

"""The markers `backends` and `once`, which backends run a test, and `few`, which cases."""

import keras
import pytest

OTHERS = [name for name in ("tensorflow", "jax", "torch") if name != keras.backend.backend()]


@pytest.mark.backends(*OTHERS, reason="this backend is left out")
def test_a_backend_that_is_not_named_does_not_run():
    raise AssertionError("ran on a backend that the marker does not name")


@pytest.mark.backends(keras.backend.backend())
def test_a_backend_that_is_named_runs(request):
    assert request.node.get_closest_marker("backends").args == (keras.backend.backend(),)


@pytest.mark.once(OTHERS[0])
def test_once_is_not_here(request):
    assert request.config.getoption("--every-backend"), "ran twice without being asked to"


@pytest.mark.once(OTHERS[0])
@pytest.mark.backends(keras.backend.backend())
def test_once_yields_to_where_alone_a_test_can_run(request):
    assert request.node.get_closest_marker("once").args == (OTHERS[0],)


@pytest.mark.few("kept")
@pytest.mark.parametrize("case", ["kept", "left"])
def test_of_few_cases_the_others_are_slow(request, case):
    assert bool(request.node.get_closest_marker("slow")) == (case == "left")

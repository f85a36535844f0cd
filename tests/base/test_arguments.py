"""Checks of arguments: what passes, in which form, and the words for what does not."""

import math
import re

import numpy as np
import pytest

from kseg.base import arguments


def words(expected):
    """A message in full."""
    return f"^{re.escape(expected)}$"


@pytest.mark.parametrize("value", [1, 3, np.int64(2), True, 0, 4, 2.0, "2", None])
def test_integer(value):
    if value in (1, 2, 3) and not isinstance(value, (bool, float)):
        result = arguments.integer("n", value, high=3)
        assert result == value and type(result) is int
        return
    with pytest.raises(ValueError, match=words(f"n={value!r}: expected an integer from 1 to 3.")):
        arguments.integer("n", value, high=3)


def test_integer_without_an_upper_bound():
    assert arguments.integer("n", 10**12) == 10**12
    assert arguments.integer("n", 0, low=0) == 0
    with pytest.raises(ValueError, match=words("n=-1: expected an integer >= 0. Leave it out.")):
        arguments.integer("n", -1, low=0, remedy="Leave it out.")


@pytest.mark.parametrize(
    "bounds, inside, outside, expected",
    [
        ({"above": 0}, [1e-9, 5], [0, -1], "a number > 0"),
        ({"at_least": 0}, [0, 0.5], [-1e-9], "a number >= 0"),
        ({"at_most": 2}, [2, -7.5], [2.1], "a number <= 2"),
        ({"at_least": 0, "below": 1}, [0, 0.999], [1, -0.1], "a number >= 0 and < 1"),
        ({"above": 0, "at_most": 1}, [1, 0.1], [0, 1.1], "a number > 0 and <= 1"),
        ({"at_least": 0, "at_most": 1}, [0, 1], [-0.1, 1.1], "a number from 0 to 1"),
        ({}, [-1e300, np.float32(2)], [], "a finite number"),
    ],
)
def test_number(bounds, inside, outside, expected):
    for value in inside:
        assert arguments.number("x", value, **bounds) is value
    for value in [*outside, math.nan, math.inf, True, "1", None]:
        with pytest.raises(ValueError, match=words(f"x={value!r}: expected {expected}.")):
            arguments.number("x", value, **bounds)


def test_share():
    assert [arguments.share("s", value) for value in (0, 0.25, 1)] == [0, 0.25, 1]
    with pytest.raises(ValueError, match=words("s=1.5: expected a number from 0 to 1.")):
        arguments.share("s", 1.5)


def test_choice():
    assert arguments.choice("kind", "png", ("jpeg", "png")) == "png"
    assert arguments.choice("kind", None, ("jpeg", None)) is None
    with pytest.raises(ValueError, match=words("kind='gif': expected one of 'jpeg', 'png'.")):
        arguments.choice("kind", "gif", ("jpeg", "png"))


@pytest.mark.parametrize("value", [(0, 4), (4,), (4, 5, 6), (4.0, 5), 4, "45", None, (None, 4)])
def test_no_size(value):
    expected = f"size={value!r}: expected (height, width) in pixels."
    with pytest.raises(ValueError, match=words(expected)):
        arguments.size("size", value)


def test_size():
    assert arguments.size("size", [4, np.int32(5)]) == (4, 5)
    assert arguments.size("size", (None, 5), optional=True) == (None, 5)
    with pytest.raises(ValueError, match=r"size=\(0, 5\): .*, each None for any"):
        arguments.size("size", (0, 5), optional=True)


def test_value_range():
    assert arguments.value_range("angle", 10) == (-10, 10)
    assert arguments.value_range("blur", 3, 0, both_sides=False) == (0, 3)
    assert arguments.value_range("scale", [0.5, 2]) == (0.5, 2)
    for value in ((2, 1), (-1, 2), "wide", (1, 2, 3), None, (0, 6)):
        with pytest.raises(ValueError, match=re.escape(f"blur={value!r}: expected a number or")):
            arguments.value_range("blur", value, 0, 5)


def test_tuples():
    assert arguments.tuples([1, [2, [3]], {"a": [4]}]) == (1, (2, (3,)), {"a": [4]})

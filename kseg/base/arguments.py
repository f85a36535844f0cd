"""TODO"""

import math

import numpy as np


def share(name, value):
    """Checks that an argument is a share.

    Raises:
        ValueError: it is not.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name}={value!r}: expected a share from 0 to 1.")


def value_range(name, value, lowest=-float("inf"), highest=float("inf"), both_sides=True):
    """The range that an argument means: two numbers, or one that is the largest.

    Args:
        name: The argument's name, for the error.
        value: `(low, high)`, or a number.
        lowest, highest: Bounds of both.
        both_sides: Whether a number stands for `(-value, value)`, else for `(0, value)`.

    Returns:
        `(low, high)`, floats.

    Raises:
        ValueError: the value is neither, or out of bounds.
    """
    try:
        low, high = value if isinstance(value, tuple | list) else (-value * both_sides, value)
        low, high = float(low), float(high)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0  # no range at all
    if not lowest <= low <= high <= highest:
        raise ValueError(
            f"{name}={value!r}: expected a number or (low, high) with "
            f"{lowest} <= low <= high <= {highest}."
        )
    return low, high


def check_choice(argument, value, choices):
    """Raises ValueError if an argument is none of its choices."""
    if value not in choices:
        raise ValueError(f"{argument} must be one of {choices}, received {argument}={value!r}.")


def check_range(argument, value, *, above=None, at_least=None, at_most=None):
    """Raises ValueError unless a number is finite, > `above`, >= `at_least` and <= `at_most`."""
    limits = {">": above, ">=": at_least, "<=": at_most}
    fits = (
        isinstance(value, (int, float, np.number))
        and math.isfinite(value)
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (at_most is None or value <= at_most)
    )
    if not fits:
        wanted = " and ".join(f"{sign} {x}" for sign, x in limits.items() if x is not None)
        raise ValueError(f"{argument} must be a number {wanted}, received {argument}={value!r}.")


def tuples(value):
    """Lists, as JSON gives them, as tuples, those within them too; the rest as it is.

    >>> tuples([[1, 2], "a"])
    ((1, 2), 'a')
    """
    return tuple(map(tuples, value)) if isinstance(value, list) else value

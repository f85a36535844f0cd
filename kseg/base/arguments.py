"""Checks of what a user passes, and the one dialect in which they are refused.

    NAME=VALUE: expected WHAT. REMEDY

A check returns the value as the rest of the code wants it.
"""

import math
import numbers
import os
from pathlib import Path


def refused(name, value, expected, remedy="", error=ValueError):
    """The error for an argument: what was given, what was expected, what to do.

    Args:
        name: The argument.
        value: What it was.
        expected: What would have been right, without a full stop.
        remedy: A sentence or more; empty where `expected` says it all.
        error: Its class. Defaults to `ValueError`.

    Example:

    >>> raise refused("width", 0, "an integer >= 1")
    Traceback (most recent call last):
    ValueError: width=0: expected an integer >= 1.
    """
    return error(f"{name}={shown(value)}: expected {expected}.{remedy and ' '}{remedy}")


def shown(value):
    """A value as a message has it; of an array or a tensor its kind and shape.

    >>> shown("a"), shown(np.zeros((2, 3)))
    ("'a'", '<ndarray of shape (2, 3), float64>')
    """
    if getattr(value, "shape", ()) == () or not hasattr(value, "dtype"):
        return repr(value)
    return f"<{type(value).__name__} of shape {tuple(value.shape)}, {value.dtype}>"


def integer(name, value, *, low=1, high=None, remedy=""):
    """An integer from `low` to `high`; bool is none.

    Raises:
        ValueError: it is not.

    Example:

    >>> integer("batch_size", 2.0)
    Traceback (most recent call last):
    ValueError: batch_size=2.0: expected an integer >= 1.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        raise refused(name, value, f"an integer {limits(at_least=low, at_most=high)}", remedy)
    return int(value)


def number(name, value, *, above=None, at_least=None, at_most=None, below=None):
    """A finite number within bounds.

    Raises:
        ValueError: it is not.

    Example:

    >>> number("dropout", 0.1, at_least=0, below=1)
    0.1
    >>> number("alpha", 0, above=0)
    Traceback (most recent call last):
    ValueError: alpha=0: expected a number > 0.
    """
    fits = (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (at_most is None or value <= at_most)
        and (below is None or value < below)
    )
    if not fits:
        bounds = limits(above=above, at_least=at_least, at_most=at_most, below=below)
        raise refused(name, value, f"a number {bounds}" if bounds else "a finite number")
    return value


def share(name, value):
    """A number from 0 to 1.

    Raises:
        ValueError: it is not.
    """
    return number(name, value, at_least=0, at_most=1)


def threshold(name, value, classes=None):
    """A probability from which something is decided: a number from 0 to 1, or one for each class.

    Args:
        name: The argument's name, for the error.
        value: What was given.
        classes: How many there are; None where that is not known yet.

    Returns:
        A float, or a tuple of them.

    Raises:
        ValueError: it is neither.

    Example:

    >>> threshold("threshold", 0.5), threshold("threshold", [0.5, 0.3], classes=2)
    (0.5, (0.5, 0.3))
    """
    several = isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) == 1
    try:
        if several and len(value) == (len(value) if classes is None else classes):
            return tuple(float(share(name, each)) for each in value)
        return float(share(name, value))
    except ValueError:
        each = "" if classes is None else f"{classes} "
        expected = f"a number from 0 to 1, or a list of {each}such, one for each class"
        raise refused(name, value, expected) from None


def choice(name, value, choices, remedy=""):
    """One of a few values.

    Raises:
        ValueError: it is none of them.

    Example:

    >>> choice("overlay", "gif", ("jpeg", "png"))
    Traceback (most recent call last):
    ValueError: overlay='gif': expected one of 'jpeg', 'png'.
    """
    if not any(value is each or value == each for each in choices):
        raise refused(name, value, f"one of {', '.join(map(repr, choices))}", remedy)
    return value


def size(name, value, *, optional=False, remedy=""):
    """`(height, width)` in pixels: two integers >= 1.

    Args:
        name: The argument's name, for the error.
        value: What was given.
        optional: Whether each side may be None, for any.
        remedy: What to do, for the error.

    Raises:
        ValueError: it is no size.
    """
    expected = "(height, width) in pixels" + (", each None for any" if optional else "")
    try:
        sides = tuple(value)
        if len(sides) != 2:
            raise ValueError
        return tuple(None if side is None and optional else integer(name, side) for side in sides)
    except (TypeError, ValueError):
        raise refused(name, value, expected, remedy) from None


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
        expected = f"a number or (low, high) with {lowest} <= low <= high <= {highest}"
        raise refused(name, value, expected)
    return low, high


def name_list(name, value):
    """Several names; one string is none, whose letters would each become one.

    Raises:
        ValueError: it is not.

    Example:

    >>> name_list("class_names", "Sky")
    Traceback (most recent call last):
    ValueError: class_names='Sky': expected a list of names. For one write ['Sky'].
    >>> name_list("class_names", ["Sky", "Road"])
    ('Sky', 'Road')
    """
    if isinstance(value, (str, bytes)):
        raise refused(name, value, "a list of names", f"For one write [{value!r}].")
    try:
        value = tuple(value)
    except TypeError:
        raise refused(name, value, "a list of names") from None
    if not all(isinstance(each, str) for each in value):
        raise refused(name, value, "a list of names, each a string")
    return value


def path(name, value, expected):
    """A path as a `pathlib.Path`, with the home that `~` means.

    Raises:
        TypeError: it is something else.

    Example:

    >>> path("run", 3, "a folder")
    Traceback (most recent call last):
    TypeError: run=3: expected a folder, as a string or a pathlib.Path.
    """
    if not isinstance(value, (str, os.PathLike)):
        expected = f"{expected}, as a string or a pathlib.Path"
        raise refused(name, value, expected, error=TypeError)
    return Path(value).expanduser()


def limits(*, above=None, at_least=None, at_most=None, below=None):
    """Bounds in words: `">= 1"`, `"> 0 and <= 1"`, `"from 0 to 1"`."""
    if at_least is not None and at_most is not None:
        return f"from {at_least} to {at_most}"
    bounds = ((">", above), (">=", at_least), ("<=", at_most), ("<", below))
    return " and ".join(f"{sign} {bound}" for sign, bound in bounds if bound is not None)


def tuples(value):
    """Lists, as JSON gives them, as tuples, those within them too; the rest as it is.

    >>> tuples([[1, 2], "a"])
    ((1, 2), 'a')
    """
    return tuple(map(tuples, value)) if isinstance(value, list) else value

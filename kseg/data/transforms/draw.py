"""Drawing numbers, and applying a transform to a share of the samples."""

from kseg.data._tensorflow import tensorflow
from kseg.data.sample import decoded


def random_apply(transform, probability=0.5):
    """Applies a transform to a share of the samples, and leaves the others as they are.

    Args:
        transform: Any transform, mixing ones too.
        probability: Share of samples it is applied to, 0..1.

    Raises:
        ValueError: `probability` is outside 0..1.
    """
    tf = tensorflow()
    share("probability", probability)

    def apply(sample, seed, *partner):
        coin, seed_here = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        return tf.cond(
            tf.random.stateless_uniform((), coin) < probability,
            lambda: decoded(transform(sample, seed_here, *partner)),
            lambda: decoded(sample),
        )

    for mark in ("mixes", "takes_bytes"):
        setattr(apply, mark, getattr(transform, mark, False))
    return apply


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


def uniform(random, bounds):
    """A number of 0..1 -> one between two bounds."""
    low, high = bounds
    return low + random * (high - low)

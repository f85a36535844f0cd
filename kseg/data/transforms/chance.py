"""Drawing numbers, and applying a transform to a share of the samples."""

from __future__ import annotations

from kseg.base.arguments import refused, share, value_range
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Transform
from kseg.data.sample import decoded


def random_apply(transform: Transform, probability: float = 0.5) -> Transform:
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


def scale_range(scale):
    """The argument `scale` of a transform as `(low, high)`, both above 0.

    Raises:
        ValueError: it is no such range.
    """
    low, high = value_range("scale", scale)
    if low <= 0:
        raise refused("scale", scale, "(low, high) with 0 < low <= high")
    return low, high


def uniform(random, bounds):
    """A number of 0..1 -> one between two bounds."""
    low, high = bounds
    return low + random * (high - low)

"""Mirroring."""

from __future__ import annotations

from kseg.base.arguments import share
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Transform
from kseg.data.sample import moved


def random_flip(probability: float = 0.5, vertical: float = 0.0) -> Transform:
    """Mirrors photo and labels left to right, and if asked top to bottom.

    Args:
        probability: Share of samples that are mirrored left to right, 0..1.
        vertical: Share of samples that are mirrored top to bottom, 0..1; for scenes without an
            up and down, such as cells or aerial photos.

    Raises:
        ValueError: an argument is outside 0..1.
    """
    tf = tensorflow()
    share("probability", probability)
    share("vertical", vertical)

    def mirrored(sample, axis):
        return moved(
            sample,
            tf.reverse(sample["image"], [axis]),
            lambda maps, fill: tf.reverse(maps, [1 + axis]),
            void=0,
        )

    def transform(sample, seed):
        random = tf.random.stateless_uniform((2,), seed)
        for axis, rate, number in ((1, probability, random[0]), (0, vertical, random[1])):
            if rate:
                sample = tf.cond(
                    number < rate,
                    lambda sample=sample, axis=axis: mirrored(sample, axis),
                    lambda sample=sample: sample,
                )
        return sample

    return transform

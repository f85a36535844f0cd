"""Changes of colour; labels stay as they are."""

from __future__ import annotations

from kseg.base.arguments import number
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Transform
from kseg.data.images import luminance

BITS = 12


ONE = 1 << BITS  # fixed-point unit: whole numbers give the same bytes eagerly, in graphs and in XLA


def color_jitter(
    brightness: float = 0.2, contrast: float = 0.2, saturation: float = 0.2
) -> Transform:
    """Changes the photo's brightness, contrast and saturation.

    Args:
        brightness: Largest shift, as a share of 255.
        contrast: Largest change of the distance from the photo's mean, as a factor from 1.
        saturation: Largest change of the distance from the pixel's grey value, likewise.

    Raises:
        ValueError: an argument is no number >= 0.
    """
    tf = tensorflow()
    number("brightness", brightness, at_least=0)
    number("contrast", contrast, at_least=0)
    number("saturation", saturation, at_least=0)
    shift_right = tf.bitwise.right_shift

    def grey_of(image):
        return luminance(image) if image.shape[-1] >= 3 else image[..., 0]

    def jittered(image, factors):
        gain, share, shift = tf.unstack(factors[:3])
        some = grey_of(tf.cast(image[::4, ::4], tf.int32))  # every 16th pixel tells the mean
        shift += factors[3] * (tf.reduce_sum(some) // tf.size(some))
        image = tf.cast(image, tf.int32)
        grey = grey_of(image)
        image = shift_right(gain * image + (share * grey + shift + ONE // 2)[..., None], BITS)
        return tf.cast(tf.clip_by_value(image, 0, 255), tf.uint8)

    compiled = tf.function(jittered, jit_compile=True, autograph=False)

    def transform(sample, seed):
        b, c, s = tf.unstack(tf.random.stateless_uniform((3,), seed, -1.0, 1.0))
        c, s = 1 + c * contrast, 1 + s * saturation
        # saturation about the grey value, then contrast about the mean, then brightness
        factors = [c * s, c * (1 - s), 255 * b * brightness, 1 - c]
        factors = tf.cast(tf.round(tf.stack(factors) * ONE), tf.int32)
        image = sample["image"]
        fixed = not tf.executing_eagerly() and image.shape.is_fully_defined()
        return {**sample, "image": (compiled if fixed else jittered)(image, factors)}

    return transform

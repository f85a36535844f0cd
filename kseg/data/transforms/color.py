"""Changes of colour; labels stay as they are."""

from __future__ import annotations

from kseg.base.arguments import number
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Transform
from kseg.data.channels import LUMA, luminance
from kseg.data.transforms.levels import as_image, white_of

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

    def grey_of_floats(image):
        colors = image.shape[-1] >= 3
        return tf.tensordot(image[..., :3], tf.constant(LUMA), 1) if colors else image[..., 0]

    def jittered(image, factors):
        gain, share, shift = tf.unstack(factors[:3])
        some = grey_of(tf.cast(image[::4, ::4], tf.int32))  # every 16th pixel tells the mean
        shift += factors[3] * (tf.reduce_sum(some) // tf.size(some))
        image = tf.cast(image, tf.int32)
        grey = grey_of(image)
        image = shift_right(gain * image + (share * grey + shift + ONE // 2)[..., None], BITS)
        return tf.cast(tf.clip_by_value(image, 0, 255), tf.uint8)

    def jittered_levels(image, factors):
        """The same of other types than bytes, without the rounding of fixed point."""
        gain, share, shift = tf.unstack(factors[:3])
        levels = tf.cast(image, tf.float32)
        white = white_of(image) / 255
        grey = grey_of_floats(levels)
        shift = white * shift + factors[3] * tf.reduce_mean(grey[::4, ::4])
        return as_image(gain * levels + (share * grey + shift)[..., None], image, within=True)

    compiled = tf.function(jittered, jit_compile=True, autograph=False)

    def transform(sample, seed):
        b, c, s = tf.unstack(tf.random.stateless_uniform((3,), seed, -1.0, 1.0))
        c, s = 1 + c * contrast, 1 + s * saturation
        # saturation about the grey value, then contrast about the mean, then brightness
        factors = tf.stack([c * s, c * (1 - s), 255 * b * brightness, 1 - c])
        image = sample["image"]
        if image.dtype != tf.uint8:
            return {**sample, "image": jittered_levels(image, factors)}
        factors = tf.cast(tf.round(factors * ONE), tf.int32)
        fixed = not tf.executing_eagerly() and image.shape.is_fully_defined()
        return {**sample, "image": (compiled if fixed else jittered)(image, factors)}

    return transform

"""Grey levels of an image, whatever its type: what transforms compute with, and give back.

`kseg.data.batches` hands uint8 to transforms, or float32 of 0..255 where a set has numbers of its
own range, which come back after the last of them: so a transform says its strengths in levels of
0..255 and loses nothing. Called by hand, uint16 is taken for 0..65535.
"""

from kseg.base.tensorflow import tensorflow

WHITE = {"uint8": 255, "uint16": 65535}  # of floats 255 too


def white_of(image):
    """The number that is white in an image of this type."""
    return WHITE.get(image.dtype.name, 255)


def as_image(values, image, within=False):
    """What was computed, float32 `(H, W, C)`, as an image of the type and shape of another.

    Args:
        values: The numbers.
        image: The other, of which integers want rounded numbers.
        within: Whether the numbers may lie beyond black and white, and are then held within.
    """
    tf = tensorflow()
    if within:
        values = tf.clip_by_value(values, 0, white_of(image))
    if image.dtype.is_integer:
        values = tf.round(values)
    return tf.ensure_shape(tf.cast(values, image.dtype), image.shape)

"""Masks whose colours say the classes, inside graphs."""

from kseg.base.tensorflow import built_once, tensorflow
from kseg.data.decode import decode_image, is_png, read_photo
from kseg.data.errors import require

WITH_ALPHA = (3, 4, 6)  # colour types of the PNG specification, 11.2.1; a palette may have some


@built_once("path")
def decode_colors(path):
    """Reads a colour-coded mask: path -> packed int32 `(H, W)`, 0xRRGGBB."""
    tf = tensorflow()
    content = read_photo(path)
    mask = tf.cast(decode_image(content), tf.int32)
    mask = mask[:, :, 0] * 65536 + mask[:, :, 1] * 256 + mask[:, :, 2]
    types = [bytes([each]) for each in WITH_ALPHA]
    has_alpha = is_png(content) & tf.reduce_any(tf.strings.substr(content, 25, 1) == types)
    told = tf.cond(has_alpha, lambda: _require_own_color(content, mask, path), lambda: True)
    with tf.control_dependencies([told]):
        return tf.identity(mask)


def _require_own_color(content, mask, path):
    """Fails where pixels that are not seen have the colour of others that are; black is none."""
    tf = tensorflow()
    unseen = tf.io.decode_png(content, channels=4)[:, :, 3] == 0
    hidden, seen = (tf.unique(tf.boolean_mask(mask, each)).y for each in (unseen, ~unseen))
    colors = tf.unique_with_counts(tf.concat([hidden, seen], 0))
    twice = tf.boolean_mask(colors.y, (colors.count > 1) & (colors.y != 0))
    return require(
        tf.size(twice) == 0,
        "unsuitable",
        path,
        lambda: tf.strings.format(
            "{} pixels are transparent and have the colour {}, as others that are seen.",
            (
                tf.math.count_nonzero(unseen & (mask == twice[0])),
                tf.bitwise.bitwise_and(tf.bitwise.right_shift(twice[0], [16, 8, 0]), 255),
            ),
        ),
        "Save the mask without transparency, and what is not drawn in a colour of its own.",
    )

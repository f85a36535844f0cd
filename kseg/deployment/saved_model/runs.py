"""COCO's compressed runs of a mask, in a graph: the string that pycocotools gives and takes.

Format: cocoapi, common/maskApi.c, `rleToString`. Pixels are counted column by column; runs of zeros
and ones alternate, zeros first. From the fourth run on, what is written is the difference to the
run before the last; numbers are written five bits a character, lowest first, the sixth bit saying
that more follow, from character 48 on.
"""

from kseg.base.tensorflow import tensorflow

CHARACTERS = 7  # of a number: 7 * 5 bits, signed, for masks up to 2**31 pixels


def compressed(block, first, size):
    """The runs of a mask of which one block is known, and the rest is zero.

    Args:
        block: bool `(h, w)`.
        first: int32 `(2,)`, row and column of the block's corner in the mask.
        size: int32 `(2,)`, height and width of the mask.

    Returns:
        string scalar.
    """
    tf = tensorflow()
    below = size[0] - first[0] - tf.shape(block)[0]
    columns = tf.pad(block, tf.stack([tf.stack([first[0], below]), [0, 0]]))
    flat = tf.reshape(tf.transpose(columns), [-1])  # column after column
    around = tf.pad(flat, [[1, 1]])
    turns = tf.cast(tf.where(around[1:] != around[:-1])[:, 0], tf.int32) + first[1] * size[0]
    total = tf.reduce_prod(size)
    turns = tf.boolean_mask(turns, turns < total)  # a mask that ends in ones ends there
    ends = tf.concat([[0], turns, [total]], 0)
    return written(ends[1:] - ends[:-1])


def written(counts):
    """Lengths of runs, int32 `(n,)` -> string scalar."""
    tf = tensorflow()
    before = tf.pad(counts, [[2, 0]])[: tf.size(counts)]
    value = tf.where(tf.range(tf.size(counts)) > 2, counts - before, counts)
    digits = tf.bitwise.right_shift(value[:, None], 5 * tf.range(CHARACTERS))  # (n, 7), signed
    low = tf.bitwise.bitwise_and(digits, 31)
    rest = tf.bitwise.right_shift(digits, 5)
    # the fifth bit is the sign of what has been written so far
    more = tf.where(tf.bitwise.bitwise_and(low, 16) != 0, rest != -1, rest != 0)
    used = tf.math.cumprod(tf.cast(more, tf.int32), axis=1, exclusive=True) > 0
    code = low + 32 * tf.cast(more, tf.int32) + 48
    single_bytes = tf.constant([bytes([number]) for number in range(128)])
    return tf.strings.reduce_join(tf.gather(single_bytes, tf.boolean_mask(code, used)))

"""COCO's run-length encoded masks: checked in Python, decoded and encoded by TensorFlow operations.

A mask is stored as the lengths of its runs of equal pixels, down each column and then the next,
beginning with zeros: the 2x3 mask `[[0, 1, 1], [0, 0, 1]]` has the counts 2, 1, 1, 2. In compressed
form each count from the fourth on is replaced by its difference from the one two before it (an
object's columns are about equally high), and written as 5-bit digits, the lowest first, with a
sixth bit where more digits follow, each as the character chr(48 + digit). The reference is
`maskApi.c` of pycocotools (`rleToString`), which encodes outside of graphs; it trusts what it reads
and may crash on a damaged string, so strings are looked over by `parse` first.

Axes: N masks, M runs, H, W the image.
"""

import re

import numpy as np

from kseg.base.tensorflow import built_once, tensorflow

ZERO = 48  # the character that stands for the digit 0
DIGIT_BITS = 5
# of a digit: its value; the sign, in the last one; whether more follow
VALUE, SIGN, MORE = 0x1F, 0x10, 0x20
MOST_DIGITS = 7  # of a count below 2^31, with its sign
END = " "  # after each RLE of a row; no digit's character
AT_ONCE = 1 << 24  # pixels of masks that are decoded together
WORD = 64  # pixels worked on at a time: bits of an integer

_DIGITS = re.compile("[0-o]+")  # chr(48)..chr(111)


def parse(text):
    """Compressed RLE -> its counts, in NumPy.

    Args:
        text: String of characters `0` to `o`.

    Returns:
        int64 `(M,)`.

    Raises:
        ValueError: the text is no compressed RLE; the message says why.

    Example:

    >>> parse("2111").tolist()
    [2, 1, 1, 2]
    """
    if not _DIGITS.fullmatch(text):
        raise ValueError("its counts hold characters other than '0' to 'o', or none")
    digits = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - ZERO
    last = np.flatnonzero(digits & MORE == 0)
    if not len(last) or last[-1] != len(digits) - 1:
        raise ValueError("its counts break off in the middle of a number")
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > MOST_DIGITS:
        raise ValueError("its counts hold a number that no image is large enough for")
    place = np.arange(len(digits)) - np.repeat(first, lengths)
    counts = np.add.reduceat((digits & VALUE) << (DIGIT_BITS * place), first)
    counts -= np.where(digits[last] & SIGN, np.int64(1) << (DIGIT_BITS * lengths), 0)
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts


@built_once("text", "size")
def decode_rles(text, size):
    """Masks of a row of compressed RLEs: -> uint8 `(N, H, W)` of 0 and 1.

    Args:
        text: String scalar, each RLE followed by `END`. They must be sound, as `parse` finds, and
            must hold no run of length 0 but the first.
        size: int32 `(2,)`, H and W.
    """
    tf = tensorflow()

    def decoded(text):
        return tf.transpose(
            tf.reshape(decode_columns(text, size), [-1, size[1], size[0]]), [0, 2, 1]
        )

    rles, block = blocks_of(text, size)
    count = tf.size(rles)

    def one_by_one():
        parts = tf.TensorArray(tf.uint8, 0, dynamic_size=True, infer_shape=False)
        _, parts = tf.while_loop(
            lambda start, _: start < count,
            lambda start, parts: (
                start + block,
                parts.write(start // block, decoded(joined(rles, start, block))),
            ),
            (0, parts),
            parallel_iterations=1,
        )
        return parts.concat()

    masks = tf.cond(count <= block, lambda: decoded(text), one_by_one)
    return tf.ensure_shape(masks, [None, None, None])


def blocks_of(text, size):
    """The RLEs of a row, a string each, and how many of them are decoded at once.

    Of a large photo one at a time: decoding takes several bytes a pixel of each mask, which for a
    hundred objects on 24 megapixels were 7 GiB.
    """
    tf = tensorflow()
    area = tf.maximum(tf.cast(size[0], tf.int64) * tf.cast(size[1], tf.int64), 1)
    return tf.strings.split(text, END)[:-1], tf.cast(tf.maximum(AT_ONCE // area, 1), tf.int32)


def joined(rles, start, count):
    """Some of the strings of `blocks_of`, as a row has them."""
    return tensorflow().strings.reduce_join(rles[start : start + count] + END)


def decode_columns(text, size):
    """As `decode_rles`, but in the order of storage, one column after the other: `(N, W * H)`.

    Works on 64 pixels at a time, as the bits of a word: a bit set at the end of each run, then each
    bit becomes the parity of those up to it. A sum over single pixels takes five times as long.
    """
    tf = tensorflow()
    left_shift, xor = tf.bitwise.left_shift, tf.bitwise.bitwise_xor
    area = tf.cast(size[0], tf.int64) * tf.cast(size[1], tf.int64)
    ends = tf.minimum(tf.cumsum(_counts(text), axis=1), area)  # (N, M)
    # The last run, and what is padding, ends where no pixel is: bits from there on are cut off.
    words = area // WORD + 1
    count = tf.shape(ends, tf.int64)[0]
    place = ends // WORD + tf.range(count)[:, None] * words
    bit = left_shift(tf.ones_like(ends), ends % WORD)
    bits = tf.scatter_nd(tf.reshape(place, [-1, 1]), tf.reshape(bit, [-1]), [count * words])
    for distance in (1, 2, 4, 8, 16, 32):
        bits = xor(bits, left_shift(bits, tf.constant(distance, tf.int64)))
    bits = tf.reshape(bits, [count, words])
    odd = tf.cumsum(tf.cast(bits < 0, tf.int64), axis=1, exclusive=True) % 2  # of the words before
    bits = xor(bits, -odd)
    spread = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], 1, bitorder="little")
    pixels = tf.gather(spread.view(np.int64)[:, 0], tf.cast(tf.bitcast(bits, tf.uint8), tf.int32))
    return tf.reshape(tf.bitcast(pixels, tf.uint8), [count, words * WORD])[:, :area]


def _counts(text):
    """The runs' lengths of each RLE: int64 `(N, M)`; nothing is meant by what follows the last."""
    tf = tensorflow()
    characters = tf.io.decode_raw(text, tf.uint8)
    is_end = characters == ord(END)
    mask = tf.cumsum(tf.cast(is_end, tf.int64), exclusive=True)  # which each character belongs to
    count = tf.math.count_nonzero(is_end)
    mask = tf.boolean_mask(mask, ~is_end)
    digits = tf.boolean_mask(tf.cast(characters, tf.int64) - ZERO, ~is_end)

    is_last = tf.bitwise.bitwise_and(digits, MORE) == 0
    number = tf.cumsum(tf.cast(is_last, tf.int64), exclusive=True)
    index = tf.range(tf.size(digits, tf.int64))
    place = index - tf.gather(tf.math.segment_min(index, number), number)
    place *= DIGIT_BITS
    shifted = tf.bitwise.left_shift(tf.bitwise.bitwise_and(digits, VALUE), place)
    is_negative = is_last & (tf.bitwise.bitwise_and(digits, SIGN) != 0)
    sign = tf.bitwise.left_shift(tf.ones_like(place), place + DIGIT_BITS)
    borrow = tf.where(is_negative, sign, 0)
    numbers = tf.math.segment_sum(shifted - borrow, number)

    rows = tf.RaggedTensor.from_value_rowids(
        numbers, tf.boolean_mask(mask, is_last), nrows=count, validate=False
    ).to_tensor()  # (N, M)
    first, rest = rows[:, :1], rows[:, 1:]
    rest = tf.pad(rest, [[0, 0], [0, tf.shape(rest)[1] % 2]])
    pairs = tf.reshape(rest, [count, tf.shape(rest, tf.int64)[1] // 2, 2])
    rest = tf.reshape(tf.cumsum(pairs, axis=1), tf.shape(rest))
    return tf.concat([first, rest], axis=1)


def encode_block(block, first, size):
    """A mask of which one block is known, and the rest is zero -> its compressed RLE.

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
    return encode_counts(ends[1:] - ends[:-1])


def encode_counts(counts):
    """The counts of a mask, int32 `(M,)` -> its compressed RLE, string scalar; undoes `parse`."""
    tf = tensorflow()
    before = tf.pad(counts, [[2, 0]])[: tf.size(counts)]
    value = tf.where(tf.range(tf.size(counts)) > 2, counts - before, counts)
    digits = tf.bitwise.right_shift(value[:, None], DIGIT_BITS * tf.range(MOST_DIGITS))  # (M, 7)
    low = tf.bitwise.bitwise_and(digits, VALUE)
    rest = tf.bitwise.right_shift(digits, DIGIT_BITS)
    # the sign bit speaks of what has been written so far
    more = tf.where(tf.bitwise.bitwise_and(low, SIGN) != 0, rest != -1, rest != 0)
    used = tf.math.cumprod(tf.cast(more, tf.int32), axis=1, exclusive=True) > 0
    code = low + MORE * tf.cast(more, tf.int32) + ZERO
    single_bytes = tf.constant([bytes([number]) for number in range(128)])
    return tf.strings.reduce_join(tf.gather(single_bytes, tf.boolean_mask(code, used)))


def objects_of_rows(read, size_of):
    """The decode function of rows of runs: photo, masks, classes, crowd.

    Args:
        read: Function of a photo's path.
        size_of: Function of a row and its photo to the size that the runs are for, int32 `(2,)`.
    """

    def decode(row):
        photo = read(row["image"])
        return {
            "image": photo,
            "masks": decode_rles(row["rles"], size_of(row, photo)),
            "classes": numbers_of(row["classes"]),
            "crowd": numbers_of(row["crowd"]) != 0,
        }

    return decode


def map_of_rows(read, size_of, kind="uint8"):
    """The decode function of rows of runs, each drawn over those before: photo and label.

    Arguments as of `objects_of_rows`; `kind` is the type of the label.
    """

    def decode(row):
        photo = read(row["image"])
        text, classes = row["rles"], numbers_of(row["classes"])
        return {"image": photo, "label": drawn(text, classes, size_of(row, photo), kind)}

    return decode


@built_once("text", "classes", "size")
def drawn(text, classes, size, kind):
    """The label on which masks are drawn, each over those before it: `(H, W)` of the type `kind`.

    Args:
        text, size: As of `decode_rles`.
        classes: int32 `(N,)`, the class of each mask.
    """
    tf = tensorflow()
    classes = tf.cast(classes, kind)
    rles, block = blocks_of(text, size)

    def draw(start, label):
        masks = tf.cast(decode_columns(joined(rles, start, block), size), kind)
        own = classes[start : start + block]
        return start + block, tf.foldl(
            # its class where the mask is 1; with `where` this took four times as long
            lambda label, i: label + masks[i] * (own[i] - label),
            tf.range(tf.size(own)),
            label,
        )

    _, label = tf.while_loop(
        lambda start, _: start < tf.size(classes),
        draw,
        (0, tf.zeros([size[0] * size[1]], kind)),
        parallel_iterations=1,
    )
    return tf.transpose(tf.reshape(label, [size[1], size[0]]))


def labels_of_rows(read, size_of, num_classes):
    """The decode function of rows of runs, one of each class at most: photo, label of each class.

    Arguments as of `objects_of_rows`; `num_classes` is C, the depth of the label `(H, W, C)`.
    """
    tf = tensorflow()

    def decode(row):
        photo = read(row["image"])
        size = size_of(row, photo)
        masks = decode_rles(row["rles"], size)
        classes = numbers_of(row["classes"])[:, None]
        label = tf.scatter_nd(classes, masks, [num_classes, size[0], size[1]])
        label = tf.transpose(label, [1, 2, 0])
        return {"image": photo, "label": tf.ensure_shape(label, [None, None, num_classes])}

    return decode


def numbers_of(text):
    """What `as_text` of `rows.py` wrote: string scalar -> int32 `(N,)`."""
    tf = tensorflow()
    return tf.strings.to_number(tf.strings.split(text), tf.int32)

"""NumPy's `.npy` inside a graph: what its header says, and its numbers.

The format is that of `numpy.lib.format`, version 1.0, which `numpy.save` writes: a signature of six
bytes, two of the version, two of the header's length, the header, which is the text of a dict, and
the numbers as they lie in memory.
"""

import numpy as np

from kseg.base.tensorflow import tensorflow

START = b"\x93NUMPY\x01\x00"
HEADER = 10  # the byte where it begins


def is_npy(content):
    """Whether these bytes begin as those of an `.npy` do: string scalar -> bool."""
    return tensorflow().strings.substr(content, 0, len(START)) == START


def fits(content, kind, channels):
    """Whether an `.npy` holds numbers `(H, W, channels)` of a type, row by row; grey also `(H, W)`.

    Args:
        content: string scalar, which `is_npy`.
        kind: Name of a type, such as `"uint16"`.
        channels: Of the model.
    """
    header = _header(content)[0]
    return tensorflow().strings.regex_full_match(header, _pattern(kind, channels))


def size_of(content, kind, channels):
    """Height and width, int32 `(2,)`, of what `fits`; of what does not, 1 and 1."""
    tf = tensorflow()
    header = _header(content)[0]
    pattern = _pattern(kind, channels)

    def said():
        sides = tf.strings.regex_replace(header, pattern, r"\1 \2")
        return tf.strings.to_number(tf.strings.split(sides, " "), tf.int32)

    fitting = tf.strings.regex_full_match(header, pattern)
    return tf.ensure_shape(tf.cond(fitting, said, lambda: tf.ones([2], tf.int32)), (2,))


def decode(content, kind, channels):
    """The numbers of what `fits`, `(H, W, channels)` of the type."""
    tf = tensorflow()
    begin = _header(content)[1]
    numbers = tf.io.decode_raw(
        tf.strings.substr(content, begin, tf.strings.length(content)), kind, little_endian=True
    )
    height, width = tf.unstack(size_of(content, kind, channels))
    return tf.reshape(numbers, tf.stack([height, width, channels]))


def _header(content):
    """The header's text, string scalar; and where the numbers begin, int32."""
    tf = tensorflow()
    padded = tf.strings.join([tf.strings.substr(content, 0, HEADER), bytes(HEADER)])
    length = tf.io.decode_raw(tf.strings.substr(padded, HEADER - 2, 2), tf.uint16)[0]
    begin = HEADER + tf.cast(length, tf.int32)
    whole = tf.strings.join([content, bytes(HEADER)])  # one that is cut off is shorter
    return tf.strings.substr(whole, HEADER, begin - HEADER), begin


def _pattern(kind, channels):
    """The header of such an array, as a regular expression whose groups are height and width."""
    described = np.dtype(kind).newbyteorder("<").str.replace("|", r"\|")
    last = "(?:, 1)?" if channels == 1 else f", {channels}"
    shape = rf"\(([1-9]\d{{0,6}}), ([1-9]\d{{0,6}}){last}\)"
    return rf"\{{'descr': '{described}', 'fortran_order': False, 'shape': {shape}, \}}\s*"

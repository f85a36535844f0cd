"""Photos and masks decoded by TensorFlow operations, inside `tf.data` or eagerly.

A photo stays a string of bytes until a transform says which part of it is wanted: a random crop
then decodes its own window and nothing else. Masks are decoded exactly, whatever kind of PNG.
"""

import binascii
import struct

import numpy as np

from kseg.base.tensorflow import built_once, tensorflow
from kseg.data.converted import by_python, mask_ids, photo_bytes
from kseg.data.errors import require
from kseg.data.files import HIDDEN, NOT_TRANSPARENT
from kseg.data.relabel import require_class

GREY, PALETTE, GREY_ALPHA = 0, 3, 4  # colour types of the PNG specification, section 11.2.1


PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_START = 33  # bytes of a signature and a header
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"  # its last chunk, which is empty, with its checksum
JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"  # markers SOI and EOI, ITU-T T.81, table B.1
# Of a BMP, GIF, TIFF, .npy and .npz: masks that Python reads
MASK_STARTS = (b"BM", b"GIF8", b"II", b"MM", b"\x93NUMPY", b"PK\x03\x04")
REDUCTIONS = (1, 2, 4, 8)  # what libjpeg can divide both sides by while it decodes


@built_once("path")
def read_photo(path):
    """A photo's bytes, not yet decoded: path, a string tensor -> string tensor.

    Of a file that TensorFlow decodes as Pillow does, these are its own. Any other is brought into
    such a form by Python (`kseg.data.converted`); so is found here, where its name is known, what
    is no photo at all, or is cut off: a plain `model.fit` says what the decoder says.
    """
    tf = tensorflow()
    content = tf.io.read_file(path)
    empty = tf.strings.length(content) == 0
    replace = "Replace or remove the file."
    there = require(~empty, "unreadable", path, "the file is empty.", replace)
    with tf.control_dependencies([there]):
        return tf.cond(
            _is_whole(content), lambda: content, lambda: by_python(photo_bytes, path, b"")
        )


def _is_whole(content):
    """Whether these bytes begin and end as those of a JPEG or PNG do."""
    tf = tensorflow()
    length = tf.strings.length(content)

    def ends(with_bytes):  # nothing beyond the beginning is asked for
        first = tf.maximum(length - len(with_bytes), 0)
        return tf.strings.substr(content, first, len(with_bytes)) == with_bytes

    jpeg = (tf.strings.substr(content, 0, len(JPEG_START)) == JPEG_START) & ends(JPEG_END)
    return jpeg | is_png(content) & ends(PNG_END)


def decode_photo(path):
    """Reads and decodes a photo: path, a string tensor -> uint8 `(H, W, 3)`."""
    return decode_image(read_photo(path))


def decode_image(content):
    """Decodes a JPEG or PNG: its bytes -> uint8 `(H, W, 3)`.

    The same bytes come out as of `kseg.data.files.load_photo`, which uses Pillow. (TensorFlow would
    take BMP, GIF and WebP too, but palettes of BMP for greys: `read_photo` makes PNGs of them.)
    """
    tf = tensorflow()
    image = tf.cond(
        tf.io.is_jpeg(content),
        # the accurate inverse DCT is the one that Pillow and OpenCV use
        lambda: tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(content, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, (None, None, 3))


def decode_deep(content):
    """Decodes a PNG of 16 bits: its bytes -> uint16 `(H, W, 3)`, as they are stored."""
    tf = tensorflow()
    bits = tf.strings.substr(content, 24, 1)
    known = tf.cond(is_png(content), lambda: bits == b"\x10", lambda: False)
    require(
        known,
        "unsuitable",
        "",
        "a photo of 8 bits, in a set that says another value_range.",
        "Give photos of 16 bits, or leave value_range= and bits= out.",
    )
    return tf.io.decode_png(content, channels=3, dtype=tf.uint16)


def decode_window(content, first, last, photo, reduction=None):
    """Decodes the rows and columns `first` up to `last` of a photo, and only those of a JPEG.

    Args:
        content: The photo's bytes.
        first, last: int32 `(2,)`, a corner (y, x) and the one beyond the opposite; inside the
            photo. `first` is a multiple of `1 << reduction`.
        photo: int32 `(2,)`, height and width of the photo.
        reduction: None, or int32 scalar, 0..3: both sides are divided by `1 << reduction`, by
            averaging; 0 for anything but a JPEG.

    Returns:
        uint8 `(h, w, 3)`, where h, w = ceil((last - first) / (1 << reduction)).
    """
    tf = tensorflow()

    def jpeg(ratio=1):
        begin, end, whole = (first, last, photo)
        if ratio > 1:
            begin, end, whole = first // ratio, -(-last // ratio), -(-photo // ratio)
        # chroma is interpolated from its neighbours: with a margin of two it comes out as in the
        # whole photo
        outer = tf.maximum(begin - 2, 0)
        size = tf.minimum(end + 2, whole) - outer
        image = tf.image.decode_and_crop_jpeg(
            content,
            tf.concat([outer, size], 0),
            channels=3,
            ratio=ratio,
            dct_method="INTEGER_ACCURATE",
        )
        return tf.slice(image, tf.concat([begin - outer, [0]], 0), tf.concat([end - begin, [3]], 0))

    def reduced():
        return tf.switch_case(reduction, [lambda r=r: jpeg(r) for r in REDUCTIONS])

    def other():
        image = tf.io.decode_image(content, channels=3, expand_animations=False)
        return image[first[0] : last[0], first[1] : last[1]]

    image = tf.cond(tf.io.is_jpeg(content), jpeg if reduction is None else reduced, other)
    return tf.ensure_shape(image, (None, None, 3))


@built_once("content")
def photo_size(content):
    """Height and width of a photo, int32 `(2,)`; of a JPEG or PNG from its header alone."""
    tf = tensorflow()

    def png():  # the header's two big-endian 32-bit numbers, section 11.2.1
        return tf.reverse(
            tf.io.decode_raw(tf.strings.substr(content, 16, 8), tf.int32, little_endian=False), [0]
        )

    def other():
        return tf.shape(tf.io.decode_image(content, channels=3, expand_animations=False))[:2]

    return tf.cond(
        tf.io.is_jpeg(content),
        lambda: tf.io.extract_jpeg_shape(content)[:2],
        lambda: tf.ensure_shape(tf.cond(is_png(content), png, other), (2,)),
    )


def size_as_said(row, photo, of, remedy):
    """The size that annotations say of a photo, which must be the photo's: a wrong one may be huge.

    Where it is wrong the size is 0, so that nothing is decoded in the same step.

    Args:
        row: dict of `"image"`, the photo's path, and `"size"`, int32 `(2,)`.
        photo: The photo, or its bytes.
        of: Who says it, in words before the size.
        remedy: What to do.
    """
    tf = tensorflow()
    size = photo_size(photo) if photo.dtype == tf.string else tf.shape(photo)[:2]
    same = tf.reduce_all(size == row["size"])
    require(
        same,
        "size_mismatch",
        row["image"],
        tf.strings.format(
            "image and mask differ in size: the photo is {} pixels, " + of + " {} (height, width).",
            (size, row["size"]),
        ),
        remedy,
    )
    return tf.where(same, size, 0)


@built_once("path")
def decode_mask(path, wide=False, repeated=False, signed=False):
    """Reads a mask of ids: path, a string tensor -> uint8 `(H, W)`, or int32 if `wide`.

    Of a PNG inside the graph; BMP, GIF, TIFF and NumPy's arrays are read by Python. `repeated` is
    of `mask_of_bytes`; `signed` masks, which are `wide` too, may hold numbers below 0.
    """
    tf = tensorflow()
    content = tf.io.read_file(path)
    nothing = np.zeros((0, 0), np.int32 if wide else np.uint8)
    other = tf.reduce_any([tf.strings.substr(content, 0, len(b)) == b for b in MASK_STARTS])
    mask = tf.cond(
        other,
        lambda: by_python(lambda name: mask_ids(name, wide, signed), path, nothing),
        lambda: mask_of_bytes(content, path, wide, repeated),
    )
    return tf.ensure_shape(mask, (None, None))


def mask_of_bytes(content, name, wide=False, repeated=False):
    """Decodes a mask of ids, exactly.

    Grey PNGs of 1 to 16 bits give their stored values, palette PNGs their palette *indices*, which
    TensorFlow's decoder does not offer: it returns colours, or their luminance. Here the header's
    colour type is changed from palette (3) to grey (0) before decoding, so that the decoder hands
    out the indices themselves. CRC-32 is linear over exclusive-or, so the header's checksum changes
    by a constant.

    Args:
        content: The bytes of a PNG file.
        name: What to call it in an error, usually its path: a string or string tensor.
        wide: Whether to keep values above 255, which are an error otherwise.
        repeated: Whether three channels of 8 bits are ids too, the same three times.

    Returns:
        uint8 `(H, W)`, or int32 if `wide`.
    """
    tf = tensorflow()
    whole = is_png(content)
    content = tf.cond(whole, lambda: content, lambda: tf.constant(bytes(PNG_START)))
    # bytes 24 and 25: bits a sample, colour type
    header = tf.ensure_shape(tf.io.decode_raw(tf.strings.substr(content, 24, 2), tf.uint8), (2,))
    bits, color_type = tf.cast(header[0], tf.int32), header[1]
    is_ids = tf.reduce_any(color_type == tf.constant([GREY, PALETTE, GREY_ALPHA], tf.uint8))
    require(
        whole,
        "not_png",
        name,
        "this mask is not a PNG file.",
        "Ids survive only in formats without loss: draw or export the mask again as PNG.",
    )
    _require_ids(~whole | is_ids | repeated, name)
    is_palette = (color_type == PALETTE) & (bits <= 8)  # there is none of 16: an error below
    content = tf.cond(is_palette, lambda: _palette_to_grey(content), lambda: content)
    kind = tf.int32 if wide else tf.uint8

    told = tf.cond(
        color_type == GREY_ALPHA, lambda: _require_nothing_hidden(content, name), lambda: True
    )

    def deep():
        mask = tf.io.decode_png(content, channels=1, dtype=tf.uint16)
        if not wide:
            top = tf.reduce_max(tf.cast(mask, tf.int32))
            require_class(top < 256, name, lambda: top, "at most 255")
        return tf.cast(mask, kind)

    def shallow():
        # below 8 bits the decoder spreads the values over 0..255
        mask = tf.io.decode_png(content, channels=1)
        spread = tf.gather(tf.constant([255, 85, 1, 17, 1, 1, 1, 1], tf.uint8), bits - 1)
        return tf.cast(tf.cond(bits < 8, lambda: mask // spread, lambda: mask), kind)

    def color():
        mask = tf.io.decode_png(content, channels=4)
        same = (mask[:, :, 0] == mask[:, :, 1]) & (mask[:, :, 0] == mask[:, :, 2])
        _require_ids(tf.reduce_all(same), name)
        with tf.control_dependencies([_require_nothing_hidden(content, name)]):
            return tf.cast(mask[:, :, :1], kind)

    if repeated:
        grey = shallow
        shallow = lambda: tf.cond(is_ids, grey, color)  # noqa: E731
    with tf.control_dependencies([told]):
        mask = tf.cond(bits == 16, deep, shallow)
    return tf.ensure_shape(mask, (None, None, 1))[:, :, 0]


def is_png(content):
    """Whether these bytes are a PNG file with a whole header.

    Bytes beyond the end of a string are not to be asked for: TensorFlow puts the string into the
    message of its error, which Python then cannot decode.
    """
    tf = tensorflow()
    whole = tf.strings.length(content) >= PNG_START
    return whole & (tf.strings.substr(content, 0, 8) == PNG_SIGNATURE)


def _palette_to_grey(content):
    """The same PNG file with colour type 0 in place of 3 and the header's checksum to match."""
    tf = tensorflow()
    header = _header(PALETTE), _header(GREY)
    change = struct.pack(">I", binascii.crc32(header[0]) ^ binascii.crc32(header[1]))
    checksum = tf.io.decode_raw(tf.strings.substr(content, 29, 4), tf.uint8)
    checksum = tf.bitwise.bitwise_xor(checksum, tf.constant(list(change), tf.uint8))
    single_bytes = tf.constant([bytes([value]) for value in range(256)])
    return tf.strings.join(
        [
            tf.strings.substr(content, 0, 25),
            b"\0",
            tf.strings.substr(content, 26, 3),
            tf.strings.reduce_join(tf.gather(single_bytes, tf.cast(checksum, tf.int32))),
            tf.strings.substr(content, 33, -1),
        ]
    )


def _header(color_type):
    return b"IHDR" + struct.pack(">IIBBBBB", 1, 1, 8, color_type, 0, 0, 0)


def _require_ids(condition, path):
    require(
        condition,
        "color_mask",
        path,
        "this is a colour mask, but ids were expected.",
        "Give the colour of each class (palette=).",
    )


def _require_nothing_hidden(content, path):
    """Fails where a pixel of no alpha has another number than 0, which may count or not."""
    tf = tensorflow()
    colors = tf.cast(tf.io.decode_png(content, channels=4, dtype=tf.uint16), tf.int32)
    hidden = tf.boolean_mask(colors[:, :, 0], (colors[:, :, 3] == 0) & (colors[:, :, 0] != 0))
    return require(
        tf.size(hidden) == 0,
        "unsuitable",
        path,
        tf.strings.format(HIDDEN, (tf.size(hidden),)),
        NOT_TRANSPARENT,
    )

"""Photos and masks from files, decoded alike by TensorFlow (training) and Pillow (prediction).

`decode_photo` and `load_photo` give the same bytes for every JPEG and PNG, be it grey, palette,
16-bit, RGBA or CMYK: grey is repeated, alpha dropped, 16 bits cut to the upper 8. EXIF orientation
is not applied, by either: masks are drawn on the stored raster.
"""

import binascii
import struct
from pathlib import Path

import numpy as np

PHOTOS = (".jpg", ".jpeg", ".png", ".bmp")
MASKS = (".png",)  # a mask saved as JPEG has lost its ids

GREY, PALETTE, GREY_ALPHA = 0, 3, 4  # colour types of the PNG specification, section 11.2.1


def list_files(folder, suffixes, argument):
    """The files of a folder with one of these suffixes, by name; clear errors when there are none.

    Raises:
        FileNotFoundError: the folder does not exist, or holds no such file.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise FileNotFoundError(f"{argument}={str(folder)!r} {what}: expected a folder.")
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in suffixes and f.is_file())
    if not files:
        raise FileNotFoundError(
            f"{argument}={str(folder)!r} holds no file ending in {', '.join(suffixes)}. "
            "Check the path, or convert the files to one of these formats."
        )
    return files


def pair_by_name(images, masks, mask_suffix=""):
    """Photo paths and their mask paths, matched by file name without ending.

    Raises:
        FileNotFoundError: a photo has no mask; the message names the first of them.
    """
    by_name = {mask.stem: mask for mask in masks}
    missing = [image for image in images if image.stem + mask_suffix not in by_name]
    if missing:
        first = missing[0]
        raise FileNotFoundError(
            f"{len(missing)} of {len(images)} images have no mask; the first is {str(first)!r}: "
            f"expected {first.stem + mask_suffix}.png in {str(masks[0].parent)!r}. "
            "Add the mask or remove the image."
        )
    return [by_name[image.stem + mask_suffix] for image in images]


def decode_photo(path):
    """Reads a photo inside `tf.data`: path, a string tensor -> uint8 `(H, W, 3)`."""
    from kseg.data._tensorflow import tensorflow

    tf = tensorflow()
    content = tf.io.read_file(path)
    image = tf.cond(
        tf.io.is_jpeg(content),
        # the accurate inverse DCT is the one that Pillow and OpenCV use
        lambda: tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(content, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, (None, None, 3))


def load_photo(path):
    """Reads a photo with Pillow: path -> uint8 `(H, W, 3)`, the same bytes as `decode_photo`.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or is no readable image.
    """
    return photo_array(_open(path))


def photo_array(image):
    """A Pillow image of any mode -> uint8 `(H, W, 3)`."""
    if image.mode.startswith("I"):  # 16-bit grey: Pillow would clip it instead of scaling
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.array(image.convert("RGB"))


def load_mask(path):
    """Reads a mask with Pillow: ids `(H, W)` of a grey or palette PNG, else colours `(H, W, 3)`."""
    image = _open(path)
    if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
        image = image.convert("RGB")
    return np.array(image).astype(np.int32)


def _open(path):
    from PIL import Image, UnidentifiedImageError

    if not Path(path).is_file():
        raise FileNotFoundError(f"{str(path)!r} does not exist: expected an image file.")
    try:
        with Image.open(path) as image:  # closes the file, keeps the pixels
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as an image ({error}). Replace or remove the file."
        ) from error
    return image


def decode_mask(path):
    """Reads a mask of ids inside `tf.data`: path -> int32 `(H, W)`.

    Grey PNGs of 1 to 16 bits give their stored values, palette PNGs their palette *indices*, which
    TensorFlow's decoder does not offer: it returns colours, or their luminance. Here the header's
    colour type is changed from palette (3) to grey (0) before decoding, so that the decoder hands
    out the indices themselves. CRC-32 is linear over exclusive-or, so the header's checksum changes
    by a constant.
    """
    from kseg.data._tensorflow import tensorflow

    tf = tensorflow()
    content = tf.io.read_file(path)
    bits = tf.io.decode_raw(tf.strings.substr(content, 24, 1), tf.uint8)[0]
    color_type = tf.io.decode_raw(tf.strings.substr(content, 25, 1), tf.uint8)[0]
    is_ids = (color_type == GREY) | (color_type == PALETTE) | (color_type == GREY_ALPHA)
    message = tf.strings.format(
        "kseg: {}: this is a colour mask, but ids were expected. Give the colour of each class "
        "(palette=).",
        (path,),
    )
    with tf.control_dependencies([tf.debugging.Assert(is_ids, [message])]):
        content = tf.cond(
            color_type == PALETTE, lambda: _palette_to_grey(tf, content), lambda: content
        )
    mask = tf.cond(
        bits == 16,
        lambda: tf.cast(tf.io.decode_png(content, channels=1, dtype=tf.uint16), tf.int32),
        lambda: tf.cast(tf.io.decode_png(content, channels=1), tf.int32),
    )
    # below 8 bits the decoder spreads the values over 0..255
    spread = tf.gather([255, 85, 1, 17, 1, 1, 1, 1], tf.minimum(tf.cast(bits, tf.int32), 8) - 1)
    return tf.ensure_shape(mask // spread, (None, None, 1))[:, :, 0]


def _palette_to_grey(tf, content):
    """The same PNG file with colour type 0 in place of 3 and the header's checksum to match."""
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


def decode_colors(path):
    """Reads a colour-coded mask inside `tf.data`: path -> packed int32 `(H, W)`, 0xRRGGBB."""
    from kseg.data._tensorflow import tensorflow

    tf = tensorflow()
    content = tf.io.read_file(path)
    mask = tf.cast(tf.io.decode_image(content, channels=3, expand_animations=False), tf.int32)
    mask = tf.ensure_shape(mask, (None, None, 3))
    return mask[:, :, 0] * 65536 + mask[:, :, 1] * 256 + mask[:, :, 2]


def relabel(mask, values, void_values, void, path):
    """Stored mask values -> class ids, inside `tf.data`.

    Args:
        mask: int32 `(H, W)` of stored values (ids, or packed colours).
        values: The stored value of each class, in order of class ids.
        void_values: Stored values that mean "no label".
        void: The label id to give those.
        path: The mask's path, named in the error for a value that is in neither list.

    Returns:
        int32 `(H, W)`.
    """
    from kseg.data._tensorflow import tensorflow

    tf = tensorflow()
    stored = np.array([*values, *void_values], np.int32)
    labels = np.array([*range(len(values)), *[void] * len(void_values)], np.int32)
    order = np.argsort(stored, kind="stable")
    stored, labels = stored[order], labels[order]
    flat = tf.reshape(mask, [-1])
    position = tf.minimum(tf.searchsorted(stored, flat), len(stored) - 1)
    unknown = tf.gather(stored, position) != flat
    message = tf.strings.format(
        "kseg: {}: the mask holds the value {}, which is no class: expected "
        f"{_ranges(values)} for the classes{_void_text(void_values)}. "
        "Correct the mask, or name its values in the class list.",
        (path, tf.reduce_max(tf.where(unknown, flat, -1))),
    )
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.logical_not(tf.reduce_any(unknown)), [message])]
    ):
        return tf.reshape(tf.gather(labels, position), tf.shape(mask))


def _ranges(values):
    values = list(values)
    if values == list(range(len(values))):
        return f"0..{len(values) - 1}"
    return ", ".join(str(value) for value in values)


def _void_text(values):
    return f" or {_ranges(values)} for void" if len(values) else ""

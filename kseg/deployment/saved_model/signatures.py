"""The signatures of an exported model: functions of named tensors, and what is written of them.

Every input and output starts with the batch, so that a server may put requests together. Names that
end in `_bytes` are those that TensorFlow Serving's REST interface wants, and gives, as base64.
"""

import dataclasses
from collections.abc import Callable

from kseg.base.tensorflow import tensorflow

ON_PHOTOS = ("image_bytes", "overlay", "tiled")  # those that take files


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature to be traced.

    Args:
        function: Function of one tensor to a dict of tensors.
        input: `tf.TensorSpec`, with the name that clients use.
        about: What it does, in a line, for `kseg info`.
        outputs: Name of each output -> what it is.
    """

    function: Callable
    input: object
    about: str
    outputs: dict


@dataclasses.dataclass(frozen=True)
class GraphOptions:
    """What the signatures of every task are told.

    Args:
        signatures: Names of those to export.
        colors: RGB of each class, for overlays.
        max_pixels: The largest photo that is decoded.
        overlay: `"jpeg"` or `"png"`.
        tile, overlap: Side of a tile and what it shares with the next, in pixels; of `tiled`.
        bucket: Where photos are filled up, their sides become multiples of so many pixels. As on
            the model's own backend, for what is filled up has a part in the numbers.
        bands: Positions of those of a photo that overlays show, red, green and blue, or one of
            grey. Default None: the first three, or the first.
    """

    signatures: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    max_pixels: int
    overlay: str
    tile: int
    overlap: int
    bucket: int
    bands: tuple[int, ...] | None = None


def served_type(value_range):
    """The type of images in which an export takes numbers of a range.

    Args:
        value_range: `(low, high)` of a model; None for 0..255. Whole numbers say integers.

    Example:

    >>> served_type(None), served_type((0, 4095)), served_type((0.0, 1.0)), served_type((0, 1))
    ('uint8', 'uint16', 'float32', 'float32')
    """
    if value_range is None:
        return "uint8"
    whole = all(isinstance(each, int) for each in value_range)
    low, high = value_range
    return "uint16" if whole and low >= 0 and 255 < high < 1 << 16 else "float32"


def images_input(encoded):
    """The input of signatures that take decoded images, of the kind of those in files."""
    shape = (None, None, None, encoded.channels)
    return tensorflow().TensorSpec(shape, encoded.kind, name="images")


def bytes_input():
    """The input of signatures that take photos as they are stored."""
    tf = tensorflow()
    return tf.TensorSpec((None,), tf.string, name="image_bytes")


def blended(images, top, colors, opacity=0.5):
    """Colours laid over photos, as `kseg.pictures.overlay`.

    Args:
        images: uint8 `(G, H, W, 3)`.
        top: int32 `(G, H, W)`, position of a pixel's colour; -1 for the bare photo.
        colors: RGB 0..255, `(K, 3)`.
        opacity: Share of the colour.
    """
    tf = tensorflow()
    images = tf.cast(images, tf.float32)
    chosen = tf.gather(tf.constant(colors, tf.float32), tf.maximum(top, 0))
    mixed = tf.where((top >= 0)[..., None], images * (1 - opacity) + chosen * opacity, images)
    return tf.cast(tf.round(mixed), tf.uint8)

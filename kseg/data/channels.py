"""As many channels as a model takes: grey is made RGB, colour made grey, all else refused."""

import numpy as np

from kseg.base.arguments import refused
from kseg.base.tensorflow import tensorflow

RGB = 3
MOST_BANDS = 64  # beyond, an axis is one of pixels
LUMA = (0.299, 0.587, 0.114)  # of ITU-R BT.601


def with_channels(image, channels, name="image"):
    """`(H, W)` or `(H, W, c)` -> `(H, W, channels)`: grey repeated to be RGB, or colour made grey.

    One band is not five of them: it is refused, as other numbers of channels are.

    Raises:
        ValueError: it has other channels, or no pixel.
    """
    shape = image.shape
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim == 3 and 0 not in shape:
        if image.shape[-1] == channels:
            return image
        if image.shape[-1] == 1 and channels == RGB:
            return np.repeat(image, channels, axis=-1)
        if image.shape[-1] == 3 and channels == 1:
            return grey(image)
    expected = f"(height, width, {channels}) for this model"
    raise refused(f"{name}.shape", shape, expected, _shape_remedy(shape, channels))


def grey(image):
    """`(H, W, 3)` -> `(H, W, 1)` of the same type; uint8 as Pillow makes a colour file grey."""
    from PIL import Image

    if image.dtype != np.uint8:
        mixed = image.astype(np.float64) @ LUMA
        mixed = np.rint(mixed) if image.dtype.kind in "ui" else mixed
        return mixed.astype(image.dtype)[:, :, None]
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).convert("L"))[:, :, None]


def _shape_remedy(shape, channels):
    if len(shape) == 4 and shape[-1] == channels:
        return "Give a list of the photos of a batch: list(images)."
    if len(shape) == 3 and shape[0] == channels:
        return "Channels come last: np.moveaxis(image, 0, -1)."
    if len(shape) == 3 and shape[-1] == 4 and channels in (1, 3):
        return "If the fourth is alpha, leave it out: image[..., :3]."
    if (len(shape) == 2 or shape[-1] == 1) and channels > RGB:
        return "Give all bands as one: np.stack(bands, axis=-1), or one TIFF of them."
    if len(shape) == 3 and shape[-1] <= MOST_BANDS:
        return (
            f"Build the model with input_shape=(None, None, {shape[-1]}), or give images of "
            f"{channels}; kseg's readers give RGB of JPEG and PNG, and all bands of TIFF and .npy."
        )
    return ""


def with_channels_of(images, channels, value_range=None):
    """`with_channels` inside `tf.data`: a batch of any type, or one image, at its last axis.

    Args:
        images: Tensor `(..., H, W, c)`, of 0..255.
        channels: Of the model.
        value_range: `(low, high)` where the images are of another range.

    Raises:
        ValueError: of `c` channels no others can be made.
    """
    tf = tensorflow()
    own = images.shape[-1] if images.shape.rank else None
    if own in (None, channels):  # not known, or right
        return images
    if own == 1 and channels == RGB:
        return tf.repeat(images, channels, axis=-1)
    if own == 3 and channels == 1:
        if images.dtype == tf.uint16 or value_range is not None:
            mixed = tf.tensordot(tf.cast(images, tf.float32), tf.constant(LUMA), 1)[..., None]
            return tf.cast(tf.round(mixed) if images.dtype.is_integer else mixed, images.dtype)
        if images.dtype.is_floating:
            images = tf.round(images)
        return tf.cast(luminance(tf.cast(images, tf.int32))[..., None], images.dtype)
    expected = f"(..., height, width, {channels}) for this model"
    shape = tuple(images.shape)
    raise refused("image.shape", shape, expected, _shape_remedy(shape[-3:], channels))


def luminance(image):
    """int32 RGB `(..., 3)` -> grey int32 `(...)`, in TensorFlow: ITU-R BT.601, as Pillow rounds."""
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    weighed = 19595 * red + 38470 * green + 7471 * blue + 32768
    return tensorflow().bitwise.right_shift(weighed, 16)

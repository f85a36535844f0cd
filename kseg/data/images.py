"""The one door of images: whatever holds a photo -> uint8 `(H, W, channels)` of 0..255, or says no.

`kseg.predict`, `kseg.evaluate`, the samples of a `Source`, what `kseg.load` gives, the batches of
`fit` and the first call of a model ask here, so that a photo means the same wherever it goes in.
What numbers mean stands in `kseg.data.values`.
"""

from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.base.tensorflow import tensorflow
from kseg.data.errors import require
from kseg.data.files import READABLE, list_files, load_array, load_photo, photo_array
from kseg.data.values import as_bytes

WHAT = "a path, a Pillow image or an array (height, width, channels)"


def image_arrays(images, channels):
    """Opens what a user gives to be predicted.

    Args:
        images: What `image_array` takes; a list, tuple or iterator of those; or a folder, for the
            photos in it, by name.
        channels: Of the model.

    Returns:
        An iterator of uint8 `(H, W, channels)`, and whether `images` were several.

    Raises:
        DataError, ValueError: one of them is missing, unreadable or no image, when it comes to it.
    """
    if isinstance(images, (str, Path)) and Path(images).expanduser().is_dir():
        images = list_files(images, READABLE, "images")
    several = isinstance(images, (list, tuple)) or hasattr(images, "__next__")
    if not several:
        return iter([image_array(images, channels)]), False
    named = ((f"images[{index}]", image) for index, image in enumerate(images))
    return (image_array(image, channels, name) for name, image in named), True


def image_array(image, channels, name="image"):
    """One photo as a model takes it.

    Args:
        image: A path of a photo, or of an array in NumPy's `.npy`; a Pillow image; or an array or
            tensor `(H, W)`, `(H, W, 1)` or `(H, W, channels)`.
        channels: Of the model. Grey is repeated for more; colour becomes grey for one, as Pillow
            does it. Files of four have alpha.
        name: What to call it in an error.

    Returns:
        uint8 `(H, W, channels)`.

    Raises:
        DataError: a file is missing or unreadable, or has other channels.
        ValueError: an array is of a wrong shape, or its numbers are not those of a photo.

    Example:

    >>> image_array(np.array([[0, 65535]], ">u2"), 3).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    >>> image_array(np.array([[0.0, 0.5]]), 3)
    Traceback (most recent call last):
    kseg.data.values.NotAPhoto: image.max()=0.5: expected numbers of 0..255 (uint8). Multiply ...
    """
    if isinstance(image, (str, Path)):
        path = Path(image).expanduser()
        if path.suffix.lower() != ".npy":
            return load_photo(path, channels)
        image, name = load_array(path), str(path)
    elif hasattr(image, "convert") and hasattr(image, "mode"):
        return photo_array(image, channels)
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.dtype.kind not in "buif":
        raise refused(name, image, WHAT, error=TypeError)
    return with_channels(as_bytes(array, name), channels, name)


def with_channels(image, channels, name="image"):
    """uint8 `(H, W)` or `(H, W, c)` -> `(H, W, channels)`: grey repeated, or colour made grey.

    Raises:
        ValueError: it has other channels, or no pixel.
    """
    shape = image.shape
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim == 3 and 0 not in shape:
        if image.shape[-1] == channels:
            return image
        if image.shape[-1] == 1:
            return np.repeat(image, channels, axis=-1)
        if image.shape[-1] == 3 and channels == 1:
            return grey(image)
    expected = f"(height, width, {channels}) for this model"
    raise refused(f"{name}.shape", shape, expected, _shape_remedy(shape, channels))


def grey(image):
    """uint8 `(H, W, 3)` -> `(H, W, 1)`, as Pillow makes a colour file grey."""
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).convert("L"))[:, :, None]


def _shape_remedy(shape, channels):
    if len(shape) == 4 and shape[-1] == channels:
        return "Give a list of the photos of a batch: list(images)."
    if len(shape) == 3 and shape[0] == channels:
        return "Channels come last: np.moveaxis(image, 0, -1)."
    if len(shape) == 3 and shape[-1] == 4 and channels in (1, 3):
        return "If the fourth is alpha, leave it out: image[..., :3]."
    if shape[-1:] == (3,):
        return (
            f"Build the model with input_shape=(None, None, 3), or give images of {channels}; "
            "kseg's readers give RGB, so of a data set write a kseg.data.Source whose decode does."
        )
    return ""


def with_channels_of(images, channels):
    """`with_channels` inside `tf.data`: a batch of any type, or one image, at its last axis.

    Args:
        images: Tensor `(..., H, W, c)`, of 0..255.
        channels: Of the model.

    Raises:
        ValueError: of `c` channels no others can be made.
    """
    tf = tensorflow()
    own = images.shape[-1] if images.shape.rank else None
    if own in (None, channels):  # not known, or right
        return images
    if own == 1:
        return tf.repeat(images, channels, axis=-1)
    if own == 3 and channels == 1:
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


def image_tensor(image):
    """`as_bytes` inside `tf.data`: an image, or the bytes of its file, as they are.

    uint8, which nearly all are, costs nothing; others are looked at by the same NumPy code.
    """
    tf = tensorflow()
    if image.dtype in (tf.string, tf.uint8):
        return image

    def looked_at(array):
        try:
            return as_bytes(array), b""
        except ValueError as error:
            return np.zeros(array.shape, np.uint8), str(error).encode()

    seen, fault = tf.numpy_function(looked_at, [image], [tf.uint8, tf.string], stateful=False)
    require(fault == b"", "unsuitable", "", lambda: fault)
    return tf.ensure_shape(seen, image.shape)

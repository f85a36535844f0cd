"""The one door of images: whatever holds a photo -> `(H, W, channels)` as a model takes it, or no.

`kseg.predict`, `kseg.evaluate`, the samples of a `Source`, what `kseg.load` gives, the batches of
`fit` and the first call of a model ask here, so that a photo means the same wherever it goes in.
What numbers mean stands in `kseg.data.values`.
"""

from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.base.tensorflow import tensorflow
from kseg.data.channels import with_channels
from kseg.data.decode import decode_deep
from kseg.data.embedded import photo_files
from kseg.data.errors import require
from kseg.data.files import load_photo, photo_array, pillow_numbers
from kseg.data.values import numbers

WHAT = "a path, a Pillow image or an array (height, width, channels)"


def image_arrays(images, channels, value_range=None):
    """Opens what a user gives to be predicted.

    Args:
        images: What `image_array` takes; a list, tuple or iterator of those; or a folder, for the
            photos in it, by name.
        channels, value_range: Of the model, as of `image_array`.

    Returns:
        An iterator of `(H, W, channels)`, and whether `images` were several.

    Raises:
        DataError, ValueError: one of them is missing, unreadable or no image, when it comes to it.
    """
    if isinstance(images, (str, Path)) and Path(images).expanduser().is_dir():
        images = photo_files(images, "images")
    several = isinstance(images, (list, tuple)) or hasattr(images, "__next__")
    if not several:
        return iter([image_array(images, channels, value_range=value_range)]), False
    named = ((f"images[{index}]", image) for index, image in enumerate(images))
    return (image_array(image, channels, name, value_range) for name, image in named), True


def image_array(image, channels, name="image", value_range=None):
    """One photo as a model takes it.

    Args:
        image: A path of a photo, or of an array in NumPy's `.npy` or `.npz`; several, of files with
            some of its bands each, in their order; a Pillow image; or an array or tensor `(H, W)`,
            `(H, W, 1)` or `(H, W, channels)`.
        channels: Of the model. Grey is repeated for more; colour becomes grey for one, as Pillow
            does it. Files of four have alpha.
        name: What to call it in an error.
        value_range: `(low, high)` of the numbers that the model takes; None for 0..255.

    Returns:
        `(H, W, channels)`: uint8; with a range uint8, uint16 or float32, the numbers as they are.

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
    if isinstance(image, (list, tuple)) and image and all(map(_is_path, image)):
        return load_photo(tuple(Path(each).expanduser() for each in image), channels, value_range)
    if _is_path(image):
        return load_photo(Path(image).expanduser(), channels, value_range)
    if hasattr(image, "convert") and hasattr(image, "mode"):
        if value_range is None:
            return photo_array(image, channels)
        image = pillow_numbers(image, alpha=channels == 4)
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.dtype.kind not in "buif":
        raise refused(name, image, WHAT, error=TypeError)
    return with_channels(numbers(array, value_range, name), channels, name)


def _is_path(image):
    return isinstance(image, (str, Path))


def image_tensor(image, value_range=None):
    """`numbers` inside `tf.data`: an image as it is to be, or the bytes of its file as they are.

    uint8, which nearly all are, costs nothing; others are looked at by the same NumPy code.

    Args:
        image: Tensor `(H, W, C)`, or string scalar.
        value_range: `(low, high)` of a set that says so; then bytes are decoded.
    """
    tf = tensorflow()
    if image.dtype == tf.string and value_range is not None:
        image = decode_deep(image)
    if image.dtype == tf.string or image.dtype == tf.uint8 and value_range is None:
        return image
    kept = image.dtype if image.dtype in (tf.uint8, tf.uint16) else tf.float32
    kind = tf.uint8 if value_range is None else kept

    def looked_at(array):
        try:
            return numbers(array, value_range), b""
        except ValueError as error:
            return np.zeros(array.shape, kind.as_numpy_dtype), str(error).encode()

    seen, fault = tf.numpy_function(looked_at, [image], [kind, tf.string], stateful=False)
    require(fault == b"", "unsuitable", "", fault)
    return tf.ensure_shape(seen, image.shape)

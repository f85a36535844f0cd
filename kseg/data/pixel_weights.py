"""Weights of pixels: maps beside the masks, and how those of the U-Net paper are made.

A map is a picture or an array of one number a pixel, of the photo's height and width. Floats are
weights as they are; of whole numbers it must be said which is weight 1: 255 and 1 are both usual.
"""

from __future__ import annotations

import numpy as np

from kseg.base.arguments import number, refused
from kseg.base.tensorflow import tensorflow
from kseg.data.converted import by_python
from kseg.data.errors import DataError, require
from kseg.data.files import read_numbers, reading

AS_FLOATS = "Save weights as floats, in a TIFF or NumPy's .npy, or as a grey PNG."


def border_weights(objects: np.ndarray, w0: float = 10.0, sigma: float = 5.0) -> np.ndarray:
    """Weights that keep objects apart which touch: large on the ground between two of them.

    `1 + w0 * exp(-(d1 + d2)**2 / (2 * sigma**2))` on the ground, where d1 and d2 are the distances
    to the nearest and to the second nearest object; 1 on objects. Ronneberger, Fischer, Brox,
    "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015, equation 2,
    without its first term: that of the classes is `Settings(balance=...)` of a training.

    Args:
        objects: Integers `(H, W)`, the number of the object that each pixel belongs to, 0 for none.
        w0: The most that is added, where two objects touch. Default 10.
        sigma: How far the border reaches, in pixels, above 0. Default 5.

    Returns:
        float32 `(H, W)`.

    Raises:
        ValueError: `objects` is something else, or a number is out of its range.

    Example:

    >>> weights = kseg.data.border_weights(np.array([[1, 1, 0, 2, 2]]))
    >>> weights.astype(float).round(1).tolist()  # d1 = d2 = 1: 1 + 10 * exp(-4 / 50)
    [[1.0, 1.0, 10.2, 1.0, 1.0]]
    """
    from scipy.ndimage import distance_transform_edt

    objects = np.asarray(objects)
    if objects.ndim != 2 or objects.dtype.kind not in "iu":
        remedy = "Of black and white masks: scipy.ndimage.label(mask)[0]."
        raise refused("objects", objects, "integers (height, width), a number an object", remedy)
    number("w0", w0, at_least=0)
    number("sigma", sigma, above=0)
    nearest = np.full(objects.shape, np.inf)
    second = nearest.copy()
    for each in np.unique(objects[objects > 0]):
        distance = distance_transform_edt(objects != each)
        second = np.minimum(second, np.maximum(nearest, distance))
        nearest = np.minimum(nearest, distance)
    weights = 1 + w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))
    return np.where(objects > 0, 1, weights).astype(np.float32)


def weight_reader(scale):
    """Function of the path of a map, a string scalar, and its photo's size -> float32 `(H, W)`.

    Args:
        scale: The number that is weight 1; None for maps of floats, which are weights.
    """
    if scale is not None:
        number("weight_scale", scale, above=0)
    tf = tensorflow()

    def read(path, size):
        weight = by_python(lambda name: load_weights(name, scale), path, np.zeros((0, 0), "f4"))
        same = require(
            tf.reduce_all(tf.shape(weight) == size),
            "size_mismatch",
            path,
            tf.strings.format(
                "the weights are {} pixels, their image {} (height, width).",
                (tf.shape(weight), size),
            ),
            "Make them of the mask, at its size.",
        )
        with tf.control_dependencies([same]):  # else what follows may fail before it
            return tf.ensure_shape(tf.identity(weight), (None, None))

    return read


def load_weights(path, scale=None):
    """The weights in a file, float32 `(H, W)`.

    Args:
        path: The file.
        scale: As of `weight_reader`.

    Raises:
        DataError: it cannot be read, is no map of one number a pixel, or these are no weights.
    """
    with reading(path):
        array = read_numbers(path)
    if array.shape[-1] == 3 and (array == array[..., :1]).all():  # grey saved as colours
        array = array[..., :1]
    if array.shape[-1] != 1:
        what = f"holds {array.shape[-1]} numbers a pixel: expected one, its weight."
        raise _unsuitable(path, what, AS_FLOATS)
    whole = array.dtype.kind in "iu"
    if whole and scale is None:
        what = f"holds whole numbers ({array.dtype}), and nothing says which of them is weight 1."
        largest = int(array.max())
        remedy = f"Say it: weight_scale={largest if largest in (1, 255, 65535) else 1}."
        raise _unsuitable(path, what, remedy)
    weights = array[..., 0].astype(np.float32)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        y, x = np.argwhere(wrong)[0].tolist()
        what = f"holds the weight {weights[y, x]:g} at y={y}, x={x}: expected numbers from 0 on."
        raise _unsuitable(path, what, "Correct it; a pixel of weight 0 is not learned.")
    return weights if scale is None else weights / np.float32(scale)


def _unsuitable(path, what, remedy):
    return DataError("unsuitable", path, f"{str(path)!r} {what}", remedy)

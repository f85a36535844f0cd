"""Bilinear resizing with half-pixel centres, and the size that a network wants.

One rule for `kseg.predict`, which resizes with NumPy on every backend (JAX would compile each new
size), and for the graphs of exports, which resize with `keras.ops` where that is TensorFlow. `xp`
is the one or the other.
"""

import numpy as np

from kseg.base.arguments import integer, refused


def check_resize(resize):
    """`(shortest, longest)`, if it is one; None is one too.

    Raises:
        ValueError: it is not.
    """
    if resize is None:
        return None
    try:
        shortest, longest = resize
        shortest = integer("resize", shortest)
        return shortest, integer("resize", longest, low=shortest)
    except (TypeError, ValueError):
        raise refused("resize", resize, "(shortest, longest) side in pixels, or None") from None


def resized_size(size, resize, xp=np, within=(None, None)):
    """Height and width at which a photo goes into the network.

    The shortest side becomes the first of `resize`, unless the longest would then exceed the
    second; fractions are cut off. As torchvision's `GeneralizedRCNNTransform`.

    Args:
        size: `(height, width)` of the photo.
        resize: `(shortest, longest)` side in pixels, or None to leave photos as they are.
        xp: NumPy, for a tuple of ints, or `keras.ops`, for an int32 tensor `(2,)`. Defaults to
            NumPy.
        within: Height and width that the result must not exceed, its aspect kept; None is any.

    Example:

    >>> resized_size((375, 500), (800, 1333)), resized_size((300, 900), (800, 1333))
    ((800, 1066), (444, 1333))
    """
    if resize is not None:
        shortest, longest = resize
        sides = cast(size, "float64", xp)
        scale = xp.minimum(shortest / xp.min(sides), longest / xp.max(sides))
        size = xp.maximum(cast(xp.floor(sides * scale), "int32", xp), 1)
    for axis, most in enumerate(within):
        if most is not None:  # in integers: the side itself becomes exactly as long as it may be
            length = xp.maximum(size[axis], most)
            size = xp.maximum(cast(size, "int64", xp) * most // cast(length, "int64", xp), 1)
            size = cast(size, "int32", xp)
    return tuple(map(int, size)) if xp is np else size


def bilinear(image, height, width, rows=slice(None), columns=slice(None), xp=np):
    """An image resized, or a part of it: half-pixel centres, no antialiasing.

    As `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`.

    Args:
        image: Numbers `(h, w, ...)`.
        height, width: Of the whole result.
        rows, columns: Which part of the result to compute, slices without a step. Default: all.
        xp: NumPy or `keras.ops`. Defaults to NumPy.

    Returns:
        float32 `(height, width, ...)`, or the part of it.

    Example:

    >>> bilinear(np.array([[0.0, 1.0]]), 1, 4)
    array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    if xp is np:
        image = np.asarray(image)
        if image.shape[:2] == (height, width):
            return image[rows, columns].astype(np.float32)
    more = (1,) * (len(image.shape) - 2)
    y, y_next, down = _neighbours(image.shape[0], height, rows, xp)
    x, x_next, right = _neighbours(image.shape[1], width, columns, xp)
    down, right = xp.reshape(down, (-1, 1, *more)), xp.reshape(right, (1, -1, *more))
    image = xp.take(image, y, 0) * (1 - down) + xp.take(image, y_next, 0) * down
    image = xp.take(image, x, 1) * (1 - right) + xp.take(image, x_next, 1) * right
    return cast(image, "float32", xp)


def _neighbours(length, new_length, part, xp):
    """The pixels on either side of each new one, and how far it is from the first to the second."""
    start = 0 if part.start is None else part.start
    stop = new_length if part.stop is None else part.stop
    # of the scale in float32, with a single rounding after it, as PyTorch's fused arithmetic
    scale = cast(length, "float64", xp) / cast(new_length, "float64", xp)
    scale = cast(cast(scale, "float32", xp), "float64", xp)
    at = (cast(xp.arange(start, stop), "float64", xp) + 0.5) * scale - 0.5
    at = xp.maximum(cast(at, "float32", xp), 0)
    first = xp.minimum(cast(at, "int32", xp), length - 1)
    second = xp.minimum(first + 1, length - 1)
    return first, second, at - cast(first, "float32", xp)


def cast(x, dtype, xp):
    """`keras.ops.cast`, which NumPy calls `astype`."""
    return np.asarray(x).astype(dtype, copy=False) if xp is np else xp.cast(x, dtype)

"""TODO"""

import math

import numpy as np


def resized_size(size, resize):
    """Height and width at which a photo goes into the network.

    The shortest side becomes the first of `resize`, unless the longest would then exceed the
    second; fractions are cut off. As torchvision's `GeneralizedRCNNTransform`.

    Args:
        size: `(height, width)` of the photo.
        resize: `(shortest, longest)` side in pixels, or None to leave photos as they are.

    Example:

    >>> resized_size((375, 500), (800, 1333)), resized_size((300, 900), (800, 1333))
    ((800, 1066), (444, 1333))
    """
    if resize is None:
        return tuple(size)
    shortest, longest = resize
    scale = min(shortest / min(size), longest / max(size))
    return tuple(max(1, math.floor(side * scale)) for side in size)


def bilinear(image, height, width, rows=slice(None), columns=slice(None)):
    """An image resized, or a part of it: half-pixel centres, no antialiasing.

    As `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`.

    Args:
        image: Numbers `(h, w, ...)`.
        height, width: Of the whole result.
        rows, columns: Which part of the result to compute. Default: all of it.

    Returns:
        float32 `(height, width, ...)`, or the part of it.

    Example:

    >>> bilinear(np.array([[0.0, 1.0]]), 1, 4)
    array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    image = np.asarray(image)
    if image.shape[:2] == (height, width):
        return image[rows, columns].astype(np.float32)
    y, y_next, down = _neighbours(image.shape[0], height, rows)
    x, x_next, right = _neighbours(image.shape[1], width, columns)
    more = (1,) * (image.ndim - 2)
    down, right = down.reshape(-1, 1, *more), right.reshape(1, -1, *more)
    image = image[y] * (1 - down) + image[y_next] * down
    return image[:, x] * (1 - right) + image[:, x_next] * right


def _neighbours(length, new_length, part):
    """The pixels on either side of each new one, and how far it is from the first to the second."""
    # of the scale in float32, with a single rounding after it, as PyTorch's fused arithmetic
    scale = np.float64(np.float32(length / new_length))
    at = ((np.arange(new_length)[part] + 0.5) * scale - 0.5).astype(np.float32)
    at = np.maximum(at, 0)
    first = np.minimum(at.astype(np.int64), length - 1)
    second = np.minimum(first + 1, length - 1)
    return first, second, at - first.astype(np.float32)


def check_resize(resize):
    """`(shortest, longest)`, if it is one; None is one too.

    Raises:
        ValueError: it is not.
    """
    if resize is None:
        return None
    try:
        shortest, longest = (int(side) for side in resize)
    except (TypeError, ValueError):
        shortest, longest = 0, 0
    if not 1 <= shortest <= longest:
        raise ValueError(
            f"resize={resize!r}: expected (shortest, longest) side in pixels, or None."
        )
    return shortest, longest

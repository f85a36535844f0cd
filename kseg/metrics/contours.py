"""Contours of label maps, all classes at once.

A *set of classes* is written as bits: class c is bit c % 31 of word c // 31, so a map of sets is
int32 (B, H, W, K) with K = ceil(C / 31) words, and one bitwise or grows the regions of every class
together. The set of a void pixel is empty, which makes it nobody's neighbour.

`xp` is `keras.ops` or NumPy. Distances are Python ints in eager code and tensors in compiled code,
and `_while` loops accordingly: JAX would compile an eager `ops.while_loop` at every call, and loops
unrolled in compiled code for minutes.
"""

import math

import keras
import numpy as np
from keras import ops

from kseg.ops.labels import concrete, static_shape

BITS = 31  # of an int32; the sign is left alone


def pixels(distance, ids, rounding, at_least=0):
    """`distance` in whole pixels: a Python int in eager code, an int32 tensor in compiled code.

    Args:
        distance: Pixels where >= 1; below that, a share of the image diagonal.
        ids: The label map (B, H, W).
        rounding: `"round"` (half to even) or `"ceil"`.
        at_least: Lower bound of the result. Defaults to 0.
    """
    height, width = static_shape(ids)[1:]
    if distance >= 1:
        result = int(distance)
    elif height is not None and width is not None:
        share = distance * math.hypot(height, width)
        result = max(math.ceil(share) if rounding == "ceil" else round(share), at_least)
    else:  # float64, as above: only TensorFlow has unknown sizes, and it has float64
        height, width = (ops.cast(ops.shape(ids)[axis], "float64") for axis in (1, 2))
        share = distance * ops.sqrt(height * height + width * width)
        share = ops.ceil(share) if rounding == "ceil" else ops.round(share)
        result = ops.maximum(ops.cast(share, "int32"), at_least)
    eager = keras.config.backend() == "torch" or concrete(ids[:1, :1, :1]) is not None
    return result if eager else ops.convert_to_tensor(result, "int32")


def class_sets(ids, valid, num_classes, xp=ops):
    """The set of each pixel's own class, empty where not `valid`.

    Args:
        ids: Class ids, int32 (B, H, W).
        valid: bool (B, H, W).
        num_classes: C.
        xp: `keras.ops` or NumPy. Defaults to `keras.ops`.

    Returns:
        int32 (B, H, W, K).
    """
    words = xp.arange(-(-num_classes // BITS), dtype="int32")
    ids = xp.expand_dims(ids, -1)
    here = (ids // BITS == words) & xp.expand_dims(valid, -1)
    return xp.where(here, xp.left_shift(xp.ones_like(ids), ids % BITS), 0)


def inner_bands(sets, distance, xp=ops):
    """Keeps the pixels of `class_sets` that are within `distance` of their own region's outside.

    This is a mask without its erosion by `distance` steps of a 3x3 square, for the masks of all
    classes at once. Beyond the image is outside; void is not, so a border against it is no border.
    """
    others = xp.bitwise_and(_grow_by_square(sets, distance, xp), xp.bitwise_not(sets))
    near = _not_empty(others, xp)
    for axis in (1, 2):
        index = _index(sets, axis, xp)
        near = near | (index < distance) | (index >= xp.shape(sets)[axis] - distance)
    return xp.where(near, sets, 0)


def contours(sets, xp=ops):
    """The classes on whose contour each pixel lies, of `class_sets`.

    A pixel lies on the contour of a class where it or one of its right, lower and lower right
    neighbours is of that class, but not both: one pixel wide, as in the DAVIS benchmark. Neither
    the image border nor a border against void is a contour.
    """
    lines = xp.zeros_like(sets)
    for down, right in ((0, 1), (1, 0), (1, 1)):
        other = _shift(_shift(sets, -down, 1, xp), -right, 2, xp)
        both = _not_empty(sets, xp) & _not_empty(other, xp)
        lines = xp.bitwise_or(lines, xp.where(both, xp.bitwise_xor(sets, other), 0))
    return lines


def grow_by_disk(sets, radius, xp=ops):
    """Each pixel's union of the sets within Euclidean distance `radius`."""

    # The disk's columns from its rim to its middle, where they are tallest: so each grows out of
    # the one before, and the work is proportional to the radius, not to its square.
    def lengthen(half, column):
        half = half + 1
        ends = xp.bitwise_or(_shift(sets, half, 1, xp), _shift(sets, -half, 1, xp))
        return half, xp.bitwise_or(column, ends)

    def add_columns(x, half, column, grown):
        half, column = _while(
            lambda half, _: (half + 1) * (half + 1) + x * x <= radius * radius,
            lengthen,
            (half, column),
        )
        sides = xp.bitwise_or(_shift(column, x, 2, xp), _shift(column, -x, 2, xp))
        return x - 1, half, column, xp.bitwise_or(grown, sides)

    state = (radius, radius * 0, sets, xp.zeros_like(sets))
    return _while(lambda x, *_: x >= 0, add_columns, state)[-1]


def count_members(sets, num_classes, xp=ops):
    """How many pixels hold each class: integers (R, C) of several maps, (R, B, H, W, K)."""
    words = [sets[..., word] for word in range(sets.shape[-1])]
    counts = [
        xp.sum(xp.bitwise_and(xp.right_shift(words[c // BITS], c % BITS), 1), axis=(1, 2, 3))
        for c in range(num_classes)
    ]
    return xp.stack(counts, axis=1)


def _grow_by_square(sets, distance, xp):
    """The union of the sets in a square of 2 * distance + 1 pixels; wraps at the image's edges."""
    size = 2 * distance + 1
    for axis in (1, 2):

        def widen(width, union, axis=axis):  # to twice the width, or to `size`
            more = (
                min(width, size - width)
                if isinstance(width, int)
                else (ops.minimum(width, size - width))
            )
            return width + more, xp.bitwise_or(union, xp.roll(union, -more, axis))

        _, sets = _while(lambda width, _: width < size, widen, (size * 0 + 1, sets))
        sets = xp.roll(sets, distance, axis)
    return sets


def _shift(sets, by, axis, xp):
    """`sets` moved `by` pixels towards the higher index; what comes in from outside is empty."""
    index = _index(sets, axis, xp)
    inside = (index >= by) & (index < xp.shape(sets)[axis] + by)
    return xp.where(inside, xp.roll(sets, by, axis), 0)


def _index(sets, axis, xp):
    """Row (axis 1) or column (axis 2) of each pixel, broadcast against (B, H, W, K)."""
    index = xp.arange(xp.shape(sets)[axis], dtype="int32")
    return xp.reshape(index, (1, -1, 1, 1) if axis == 1 else (1, 1, -1, 1))


def _not_empty(sets, xp):
    return xp.any(sets != 0, axis=-1, keepdims=True)


def _while(condition, body, state):
    """`ops.while_loop`, or a Python loop where an int steers it."""
    if not isinstance(state[0], (int, np.integer)):
        return ops.while_loop(condition, body, state)
    while condition(*state):
        state = body(*state)
    return state

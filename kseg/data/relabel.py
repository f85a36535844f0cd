"""The numbers that masks hold as class ids: which of them are classes, and which void."""

import numpy as np

from kseg.base.tensorflow import built_once, tensorflow
from kseg.data.converted import UNKNOWN_ID
from kseg.data.errors import require


def relabel(mask, values, void_values, void, path):
    """Stored mask values -> class ids.

    Args:
        mask: `(H, W)` of stored values: uint8 ids, or int32 ids or packed colours.
        values: The stored value of each class, in order of class ids.
        void_values: Stored values that mean "no label".
        void: The label id to give those.
        path: The mask's path, named in the error for a value that is in neither list.

    Returns:
        uint8 `(H, W)`, or int32 if a label is beyond 255.
    """
    return _relabelled(mask, tuple(values), tuple(void_values), void, path)


@built_once("mask", "path")
def _relabelled(mask, values, void_values, void, path):
    tf = tensorflow()
    values, void_values = list(values), list(void_values)
    kind = tf.uint8 if max(len(values) - 1, void) < 256 else tf.int32
    if mask.dtype == tf.uint8 and values == list(range(len(values))):
        # nearly nothing changes: comparisons are five times faster than a table
        is_void = tf.zeros_like(mask, tf.bool)
        for value in void_values:
            is_void |= mask == value
        unknown = (mask >= len(values)) & ~is_void
        label = tf.where(is_void, tf.cast(void, kind), tf.cast(mask, kind))
    elif mask.dtype == tf.uint8:
        table = np.full(256, void)
        table[values] = range(len(values))
        known = np.zeros(256, bool)
        known[values + void_values] = True
        index = tf.cast(mask, tf.int32)
        label = tf.gather(tf.constant(table, kind), index)
        unknown = tf.constant(False) if known.all() else ~tf.gather(tf.constant(known), index)
    else:
        stored = np.array([*values, *void_values], np.int32)
        labels = np.array([*range(len(values)), *[void] * len(void_values)])
        order = np.argsort(stored, kind="stable")
        stored, labels = stored[order], tf.constant(labels[order], kind)
        mask = tf.cast(mask, tf.int32)
        flat = tf.reshape(mask, [-1])
        position = tf.minimum(tf.searchsorted(stored, flat), len(stored) - 1)
        unknown = tf.reshape(tf.gather(stored, position) != flat, tf.shape(mask))
        label = tf.reshape(tf.gather(labels, position), tf.shape(mask))
    expected = f"{_ranges(values)} for the classes{_void_text(void_values)}"
    require_class(
        ~tf.reduce_any(unknown),
        path,
        lambda: tf.reduce_max(tf.where(unknown, tf.cast(mask, tf.int32), -1)),
        expected,
    )
    return label


def require_class(condition, path, value, expected):
    """`value`, a function, gives the stored value that no class has."""
    require(
        condition,
        "unknown_id",
        path,
        lambda: tensorflow().strings.format(
            f"the mask holds the value {{}}, which is no class: expected {expected}.", (value(),)
        ),
        UNKNOWN_ID,
    )


def _ranges(values):
    if values == list(range(len(values))):
        return f"0..{len(values) - 1}"
    return ", ".join(str(value) for value in values)


def _void_text(values):
    return f" or {_ranges(values)} for void" if values else ""

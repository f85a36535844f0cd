"""Labels against predictions: one reading of `y_true`, shared by every loss and metric.

Axes: B batch, ... pixels (any number of axes), C classes. A prediction has shape (B, ..., C);
C = 1 is a binary problem whose one channel is the score of class 1, so it counts as two classes.

Compiled code cannot raise on a value. So each check here comes in two halves: it raises where the
values are known (eager calls) and otherwise hands back a flag, with which the caller turns its
result into NaN. A wrong label never becomes a plausible number.
"""

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from kseg.base.arguments import refused
from kseg.ops.warned import warn_where

# One-hot and soft labels sum to 1 over the classes, give or take bfloat16 rounding; void to 0.
SUM_TOLERANCE = 0.01


class Labels(NamedTuple):
    """What `read_labels` makes of `y_true`; every field lacks the class axis but `soft`.

    ids: int32 (B, ...), in 0..num_classes-1 everywhere; 0 where the pixel is not valid.
    valid: bool (B, ...), False at void pixels (and at wrong ones).
    invalid: bool scalar, True where some label was wrong but could not be refused (compiled code).
    soft: float32 (B, ..., C), zero where not valid; None where `y_true` held ids.
    """

    ids: Any
    valid: Any
    invalid: Any
    soft: Any


def num_classes_of(channels):
    """Number of classes that `channels` output channels tell apart: 1 channel is binary, so 2."""
    return max(int(channels), 2)


def void_ids(ignore_class):
    """`ignore_class` as a tuple of ints.

    Args:
        ignore_class: An int, a sequence of ints, or None for no void class.

    Raises:
        ValueError: Where it is anything else.

    Example:

    >>> void_ids(255), void_ids((0, 255)), void_ids(None)
    ((255,), (0, 255), ())
    """
    if ignore_class is None:
        return ()
    values = np.asarray(ignore_class)
    if values.ndim > 1 or (values.size and values.dtype.kind not in "iu"):
        raise refused("ignore_class", ignore_class, "an integer, a sequence of integers, or None")
    return tuple(int(value) for value in values.reshape(-1))


def concrete(x):
    """The values of `x` as a NumPy array, or None where they are not known yet.

    They are unknown in a TensorFlow graph, under JAX transformations, on torch's meta device and
    for a `KerasTensor`; each of those refuses the conversion with an error of its own.
    """
    try:
        return ops.convert_to_numpy(x)
    except Exception:
        return None


def static_shape(x):
    """The shape of `x` as a tuple of ints, with None for what is not known yet."""
    return tuple(None if size is None else int(size) for size in x.shape)


def read_labels(y_true, pred_shape, ignore_class=255):
    """Reads labels of any accepted form against predictions of shape `pred_shape`.

    Args:
        y_true: Class ids (B, ...) or (B, ..., 1), of any dtype that holds them; or, where C > 1,
            one-hot or soft labels (B, ..., C) that sum to 1 over the classes, or to 0 at void.
        pred_shape: Shape (B, ..., C) of the predictions; None where a size is not known.
        ignore_class: Void class id(s): int, sequence of ints, or None. A one-hot pixel is void
            where more than half of it lies on such a class. Defaults to 255.

    Returns:
        `Labels`.

    Raises:
        ValueError: The shapes do not belong together, or (eager only) a label is neither void nor
            a class.

    Example:

    >>> labels = read_labels(np.array([[0, 2, 255]]), (1, 3, 3))
    >>> ops.convert_to_numpy(labels.valid)
    array([[ True,  True, False]])
    """
    pred_shape = tuple(pred_shape)
    channels = pred_shape[-1]
    num_classes = num_classes_of(channels)
    void = void_ids(ignore_class)
    y_true = ops.cast(y_true, "float32")  # exact for ids to 2**24, and keeps int64 from wrapping
    if _has_class_axis(static_shape(y_true), pred_shape):
        return _read_soft(y_true, num_classes, void)
    if len(y_true.shape) == len(pred_shape):
        y_true = ops.squeeze(y_true, axis=-1)

    binary = "One output channel is binary; give the model a channel per class for more. "
    return _read_ids(y_true, num_classes, ignore_class, binary if channels == 1 else "")


def read_multilabel(y_true, pred_shape, ignore_class=255):
    """Reads labels of which a pixel may have several: each class is a binary problem of its own.

    Args:
        y_true: 0, 1 or void for each class, (B, ..., C).
        pred_shape: Shape (B, ..., C) of the predictions; None where a size is not known.
        ignore_class: Void value(s): int, sequence of ints, or None. Defaults to 255.

    Returns:
        `Labels` of shape (B, ..., C): ids are 0 and 1.

    Raises:
        ValueError: The shapes differ, or (eager only) a label is neither 0, 1 nor void.

    Example:

    >>> labels = read_multilabel(np.array([[[1, 1], [0, 255]]]), (1, 2, 2))
    >>> ops.convert_to_numpy(labels.ids).tolist(), ops.convert_to_numpy(labels.valid).tolist()
    ([[[1, 1], [0, 0]]], [[[True, True], [True, False]]])
    """
    shape, pred_shape = static_shape(y_true), tuple(pred_shape)
    if len(pred_shape) < 2 or not _agree(shape, pred_shape):
        expected = f"{pred_shape}, that of y_pred, with multilabel=True"
        raise refused("y_true.shape", shape, expected, "Of a pixel 0, 1 or void for each class.")
    return _read_ids(ops.cast(y_true, "float32"), 2, ignore_class)


def _read_ids(y_true, num_classes, ignore_class, remedy=""):
    """`Labels` of ids in float32; `remedy` comes first in that of the error."""
    is_void = ops.zeros_like(y_true, dtype="bool")
    for value in void_ids(ignore_class):
        is_void = ops.logical_or(is_void, y_true == value)
    is_class = (y_true >= 0) & (y_true < num_classes) & (y_true == ops.floor(y_true))
    valid = is_class & ops.logical_not(is_void)
    wrong = ops.logical_not(is_class | is_void)  # NaN compares false, so it ends here

    remedy = f"{remedy}Name void ids in ignore_class=, or correct the labels."
    expected = f"classes, 0..{num_classes - 1}, or void, ignore_class={ignore_class!r}"

    def error():
        unknown = np.unique(concrete(y_true)[concrete(wrong)])[:10]
        values = [float(v) if v % 1 else int(v) for v in unknown]
        return refused("ids in y_true", values, expected, remedy)

    invalid = refuse(wrong, error, f"ids in y_true: expected {expected}. {remedy}")
    ids = ops.cast(ops.where(valid, y_true, 0.0), "int32")
    return Labels(ids, valid, invalid, None)


def refuse(wrong, error, text=None):
    """Raises error() where `wrong` is known to hold anywhere; returns any(wrong).

    In compiled code that makes the result NaN, and `text`, if there is one, says why as a warning.
    """
    any_wrong = ops.any(wrong)
    known = concrete(any_wrong)
    if known:
        raise error()
    if known is None and text:
        return warn_where(any_wrong, f"{text} Here a loss or a score has become NaN by it.")
    return any_wrong


def one_hot(labels, num_classes):
    """`labels` as float32 (B, ..., num_classes), all zero where a pixel is not valid."""
    if labels.soft is not None:
        return labels.soft
    # Comparing beat ops.one_hot on torch (111 to 194 ms for a loss and its gradient) and was no
    # slower elsewhere.
    ids = ops.where(labels.valid, labels.ids, -1)
    return ops.cast(ops.expand_dims(ids, -1) == ops.arange(num_classes, dtype="int32"), "float32")


def pixel_weights(sample_weight, labels):
    """float32 weight of each pixel: `sample_weight`, and 0 where the label is not valid.

    Args:
        sample_weight: (B,), (B, ...), (B, ..., 1), or None for 1 everywhere.
        labels: `Labels` of shape (B, ...).

    Returns:
        float32 tensor (B, ...).

    Raises:
        ValueError: The shape is none of these.
    """
    valid = ops.cast(labels.valid, "float32")
    if sample_weight is None:
        return valid
    weight = ops.cast(sample_weight, "float32")
    shape, pixels = static_shape(weight), static_shape(valid)
    given = shape[:-1] if len(shape) == len(pixels) + 1 and shape[-1] == 1 else shape
    if not (_agree(given, pixels) or _agree(given, pixels[:1])):
        expected = f"a weight per image, {pixels[:1]}, or per pixel, {pixels} or {(*pixels, 1)}"
        raise refused("sample_weight.shape", shape, expected)
    ones = (1,) * (len(pixels) - len(given))
    weight = ops.reshape(weight, tuple(ops.shape(weight))[: len(given)] + ones)
    # where, not a product: a weight at a void pixel does not matter, not even NaN.
    return ops.where(labels.valid, weight, 0.0)


def label_weights(sample_weight, labels):
    """As `pixel_weights`, of labels of which a pixel has several: float32 (B, ..., C).

    Args:
        sample_weight: (B,), (B, ...), (B, ..., 1), or of each class (B, ..., C); None for 1.
        labels: `Labels` of shape (B, ..., C).
    """
    valid = ops.cast(labels.valid, "float32")
    if sample_weight is None:
        return valid
    weight = ops.cast(sample_weight, "float32")
    shape, labelled = static_shape(weight), static_shape(valid)
    pixels = labelled[:-1]
    if _agree(shape, pixels):
        weight = ops.expand_dims(weight, -1)
    elif _agree(shape, labelled[:1]):
        weight = ops.reshape(weight, (-1, *(1,) * len(pixels)))
    elif not (_agree(shape, labelled) or _agree(shape, (*pixels, 1))):
        expected = (
            f"a weight per image, {labelled[:1]}, per pixel, {pixels}, or per label, {labelled}"
        )
        raise refused("sample_weight.shape", shape, expected)
    return ops.where(labels.valid, weight, 0.0)


def _read_soft(y_true, num_classes, void):
    total = ops.sum(y_true, axis=-1)
    is_empty = total == 0
    off = ops.logical_or(
        ops.any(y_true < 0, axis=-1),
        ops.logical_not(ops.absolute(total - 1) <= SUM_TOLERANCE) & ops.logical_not(is_empty),
    )
    what = f"sum of the {num_classes} channels of y_true at a pixel"
    expected = "channels >= 0 that sum to 1, or to 0 where void"
    remedy = "Pass class ids (B, ...) or one-hot; a colour picture or a 0/255 mask is neither."

    def error():
        return refused(what, float(concrete(total)[concrete(off)][0]), expected, remedy)

    invalid = refuse(off, error, f"{what}: expected {expected}. {remedy}")
    ignored = [value for value in void if 0 <= value < num_classes]
    on_void = sum((y_true[..., value] for value in ignored), ops.zeros_like(total))
    valid = ops.logical_not(is_empty | off) & (on_void <= 0.5)
    soft = ops.where(ops.expand_dims(valid, -1), y_true, 0.0)
    return Labels(ops.argmax(soft, axis=-1), valid, invalid, soft)


def _has_class_axis(shape, pred_shape):
    """True for (B, ..., C), False for ids; ValueError for anything else."""
    *pixels, channels = pred_shape
    if channels is None:
        raise refused("y_pred.shape", pred_shape, "a known number of classes, its last axis")
    if len(pred_shape) >= 2:
        if len(shape) == len(pixels) and _agree(shape, pixels):
            return False
        if len(shape) == len(pixels) + 1 and _agree(shape[:-1], pixels):
            if shape[-1] == 1:
                return False
            if shape[-1] == channels:
                return True
    raise _shape_error(shape, pred_shape)


def _agree(shape, other):
    return len(shape) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(shape, other, strict=True)
    )


def _shape_error(shape, pred_shape):
    *pixels, channels = pred_shape
    if len(pred_shape) < 2:
        remedy = "y_pred needs a batch and a class axis."
    elif channels == 1 and _agree(shape[:-1], pixels):
        remedy = (
            "One output channel is binary and takes ids 0 and 1; give the model "
            f"{shape[-1]} channels, or pass class ids."
        )
    elif len(shape) >= len(pixels) and not _agree(shape[: len(pixels)], pixels):
        remedy = "Bring both to one size: labels are resized by nearest neighbour only."
    else:
        remedy = "Check the batch, pixel and class axes of both."
    forms = [tuple(pixels), (*pixels, 1)] + ([tuple(pred_shape)] if channels != 1 else [])
    expected = " or ".join(str(form) for form in forms)
    expected = f"{expected}, as y_pred.shape={tuple(pred_shape)}"
    return refused("y_true.shape", shape, expected, remedy)

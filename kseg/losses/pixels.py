"""What every segmentation loss shares: reading its inputs, and averaging over pixels and classes.

A loss reads its inputs with `prepare`, turns scores into `probabilities`, and ends either in
`mean_of_pixels` or, where it compares whole classes, in `mean_of_classes`; all in float32 whatever
the precision of the predictions.

Axes: B batch, ... pixels, C classes (2 where there is one channel), U units of reduction: one for
the whole batch, or one for each image.
"""

import math
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kseg.base.arguments import choice, refused
from kseg.ops.labels import (
    label_weights,
    num_classes_of,
    one_hot,
    pixel_weights,
    read_labels,
    read_multilabel,
    static_shape,
    void_ids,
)
from kseg.ops.replicas import any_of, summed

REDUCE = ("batch", "image")
ABSENT = ("ignore", "penalize")


class Prepared(NamedTuple):
    """Inputs of a loss, checked.

    target: float32 (B, ..., C), the labels, one-hot or soft; zero at void pixels.
    scores: float32 (B, ..., channels), the predictions; zero at void pixels.
    weight: float32 (B, ..., 1), the sample weight; zero at void pixels.
    invalid: bool scalar, True where compiled code met a wrong label.

    Of multi-label problems the classes are the last of the pixels' axes: (B, ..., C, 2),
    (B, ..., C, 1) and (B, ..., C, 1), of which each class is a binary problem.
    """

    target: Any
    scores: Any
    weight: Any
    invalid: Any


def prepare(y_true, y_pred, sample_weight=None, *, ignore_class=255, multilabel=False):
    """Reads and checks the inputs of a loss.

    Args:
        y_true: Labels; see `kseg.ops.labels.read_labels` for the accepted forms.
        y_pred: Scores (B, ..., channels), one channel for a binary problem.
        sample_weight: (B,), (B, ...), (B, ..., 1) or None. Defaults to None.
        ignore_class: Void class id(s). Defaults to 255.
        multilabel: Whether a pixel may have several classes, see `read_multilabel`. Defaults to
            False.

    Returns:
        `Prepared`. Void pixels are cut off before any arithmetic, so their gradient is exactly
        zero whatever the scores there.

    Raises:
        ValueError: On shapes or labels that do not fit.
    """
    y_pred = ops.cast(y_pred, "float32")
    pred_shape = static_shape(y_pred)
    if multilabel:
        labels = read_multilabel(y_true, pred_shape, ignore_class)
        weight, y_pred = label_weights(sample_weight, labels), ops.expand_dims(y_pred, -1)
    else:
        labels = read_labels(y_true, pred_shape, ignore_class)
        weight = pixel_weights(sample_weight, labels)
    return Prepared(
        target=one_hot(labels, num_classes_of(y_pred.shape[-1])),
        scores=ops.where(ops.expand_dims(labels.valid, -1), y_pred, 0.0),
        weight=ops.expand_dims(weight, -1),
        invalid=labels.invalid,
    )


def harden(target):
    """Soft labels (B, ..., C) as one-hot ones of their likeliest class; void stays zero."""
    classes = ops.arange(target.shape[-1], dtype="int32")
    likeliest = ops.expand_dims(ops.cast(ops.argmax(target, axis=-1), "int32"), -1) == classes
    return ops.cast(likeliest & (ops.max(target, axis=-1, keepdims=True) > 0), "float32")


def probabilities(scores, from_logits):
    """Probabilities (B, ..., channels): softmax, or sigmoid where there is one channel."""
    if not from_logits:
        return scores
    return ops.sigmoid(scores) if scores.shape[-1] == 1 else ops.softmax(scores, axis=-1)


def log_probabilities(scores, from_logits):
    """Log-probabilities (B, ..., C); one channel makes two, background first."""
    binary = scores.shape[-1] == 1
    if from_logits:
        if binary:  # log sigmoid(-x), log sigmoid(x): exact where 1 - sigmoid(x) would round to 0
            return -ops.softplus(ops.concatenate([scores, -scores], axis=-1))
        return ops.log_softmax(scores, axis=-1)
    if binary:
        scores = ops.concatenate([1 - scores, scores], axis=-1)
    epsilon = keras.config.epsilon()
    return ops.log(ops.clip(scores, epsilon, 1 - epsilon))


def sum_pixels(x, reduce):
    """Sums (B, ..., C) over the pixels of each unit: (U, C).

    One axis at a time: along an outer axis TensorFlow adds one by one, and a million float32 terms
    in a row were off by 1 percent, 16 million by 15; this way by 0.002 percent.

    Args:
        x: float32 (B, ..., C).
        reduce: `"batch"` for one unit of all pixels, `"image"` for a unit per image.

    Raises:
        ValueError: `reduce` is neither.
    """
    choice("reduce", reduce, REDUCE)
    for _ in range(len(x.shape) - 2):
        x = ops.sum(x, axis=-2)
    return summed(ops.sum(x, axis=0, keepdims=True)) if reduce == "batch" else x


def mean_of_pixels(losses, weight, reduce, invalid):
    """sum(weight * losses) / sum(weight) of each unit, averaged over the units with any weight.

    Args:
        losses, weight: float32 (B, ..., 1).
        reduce: `"batch"` or `"image"`.
        invalid: bool scalar, see `mean_of_units`.
    """
    total = sum_pixels(weight, reduce)  # (U, 1)
    means = ops.divide_no_nan(sum_pixels(weight * losses, reduce), total)
    return mean_of_units(means, total > 0, invalid)


def mean_of_labels(losses, weight, class_weight, reduce, invalid):
    """`mean_of_pixels` of each class of a multi-label problem, and the mean of those.

    Args:
        losses, weight: float32 (B, ..., C, 1).
        class_weight: None, sequence, or {class id: weight}, of the mean over the classes.
        reduce, invalid: As of `mean_of_pixels`.
    """
    losses, weight = losses[..., 0], weight[..., 0]
    total = sum_pixels(weight, reduce)  # (U, C)
    means = ops.divide_no_nan(sum_pixels(weight * losses, reduce), total)
    weigh = class_weights(class_weight, losses.shape[-1])
    return mean_of_classes(means, total > 0, weigh, invalid)


def mean_of_classes(losses, scored, class_weight, invalid):
    """Mean over the classes that are `scored` in a unit, averaged over the units that have one.

    Args:
        losses: float32 (U, C).
        scored: bool (U, C) or (U, 1).
        class_weight: (C,), the weights of the mean over classes.
        invalid: bool scalar, see `mean_of_units`.
    """
    weigh = ops.convert_to_tensor(class_weight) * ops.cast(scored, "float32")  # (U, C)
    total = ops.sum(weigh, axis=-1)  # (U,)
    means = ops.divide_no_nan(ops.sum(weigh * losses, axis=-1), total)
    return mean_of_units(means, total > 0, invalid)


def mean_of_units(values, counts, invalid):
    """Mean of the units' `values` where `counts` holds, 0 if it nowhere does; NaN if `invalid`.

    Through `where` an invalid batch yields the loss NaN but the gradient zero: it is seen, and yet
    spoils no weight.
    """
    counts = ops.cast(counts, "float32")
    mean = ops.divide_no_nan(summed(ops.sum(values * counts)), summed(ops.sum(counts)))
    return ops.where(any_of(invalid), float("nan"), mean)


def class_weights(class_weight, num_classes):
    """`class_weight` as a float32 NumPy array (num_classes,).

    Args:
        class_weight: None (all 1), one weight per class, or {class id: weight} where a missing
            class weighs 1.
        num_classes: Number of classes, 2 for a binary problem.

    Raises:
        ValueError: Wrong length, an id that is no class, or a weight that is negative or not
            finite.

    Example:

    >>> class_weights({1: 5.0}, 3)
    array([1., 5., 1.], dtype=float32)
    """
    weights = np.ones(num_classes, "float32")
    class_weight = plain_weights(class_weight)
    if isinstance(class_weight, list):
        if len(class_weight) != num_classes:
            raise refused(
                "class_weight",
                class_weight,
                f"{num_classes} weights, one a class, or a dict {{class id: weight}}",
            )
        class_weight = dict(enumerate(class_weight))
    for id_, weight in (class_weight or {}).items():
        if not 0 <= id_ < num_classes:
            raise refused("class_weight", class_weight, f"class ids 0..{num_classes - 1}")
        weights[id_] = weight
    return weights


def weigh_by_class(weight, target, class_weight):
    """`weight` (B, ..., 1) of each pixel times that of its class, for soft labels their mean."""
    weigh = ops.convert_to_tensor(class_weights(class_weight, target.shape[-1]))  # (C,)
    return weight * ops.sum(target * weigh, axis=-1, keepdims=True)


def scored_classes(x, channels, class_weight, ignore_class, multilabel=False):
    """What a loss that scores whole classes looks at: all of them, or the foreground of a channel.

    Args:
        x: (B, ..., C), by class.
        channels: Channels of the predictions; 1 is binary, and only class 1 is scored.
        class_weight: None, sequence, or {class id: weight}.
        ignore_class: Void class id(s); such a class weighs 0.
        multilabel: Whether `x` is (B, ..., C, 2), of which each class is a binary problem.

    Returns:
        `x` (B, ..., channels) and the classes' weights, float32 NumPy (channels,).
    """
    if multilabel:
        return x[..., 1], class_weights(class_weight, x.shape[-2])
    num_classes = num_classes_of(channels)
    weigh = class_weights(class_weight, num_classes)
    weigh[[value for value in void_ids(ignore_class) if 0 <= value < num_classes]] = 0.0
    return (x[..., 1:], weigh[1:]) if channels == 1 else (x, weigh)


def plain_weights(class_weight):
    """None, a list of floats or a dict {int: float}; also undoes JSON's string keys."""
    if class_weight is None:
        return None
    if isinstance(class_weight, dict):
        plain = {int(id_): float(weight) for id_, weight in class_weight.items()}
        values = plain.values()
    else:
        values = plain = [float(weight) for weight in class_weight]
    if not all(0 <= weight < math.inf for weight in values):
        raise refused("class_weight", class_weight, "finite numbers >= 0")
    return plain

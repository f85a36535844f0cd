"""What every segmentation loss shares: reading its inputs, averaging, and adding up.

Each loss is a pure function first and a thin Keras class second. The function reads its inputs with
`prepare`, adds up pixels with `sum_pixels` and averages with `mean_of_units`, all in float32
whatever the precision of the predictions.

Axes: B batch, ... pixels, C classes (2 where there is one channel), U units of reduction: one for
the whole batch, or one for each image.
"""

import math
import numbers
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kseg.ops.labels import (
    num_classes_of,
    one_hot,
    pixel_weights,
    read_labels,
    static_shape,
    void_ids,
)

REDUCE = ("batch", "image")


class Prepared(NamedTuple):
    """Inputs of a loss, checked.

    target: float32 (B, ..., C), the labels, one-hot or soft; zero at void pixels.
    scores: float32 (B, ..., channels), the predictions; zero at void pixels.
    weight: float32 (B, ..., 1), the sample weight; zero at void pixels.
    invalid: bool scalar, True where compiled code met a wrong label.
    """

    target: Any
    scores: Any
    weight: Any
    invalid: Any


def prepare(y_true, y_pred, sample_weight=None, *, ignore_class=255):
    """Reads and checks the inputs of a loss.

    Args:
        y_true: Labels; see `kseg.ops.labels.read_labels` for the accepted forms.
        y_pred: Scores (B, ..., channels), one channel for a binary problem.
        sample_weight: (B,), (B, ...), (B, ..., 1) or None. Defaults to None.
        ignore_class: Void class id(s). Defaults to 255.

    Returns:
        `Prepared`. Void pixels are cut off before any arithmetic, so their gradient is exactly
        zero whatever the scores there.

    Raises:
        ValueError: On shapes or labels that do not fit.
    """
    y_pred = ops.cast(y_pred, "float32")
    pred_shape = static_shape(y_pred)
    labels = read_labels(y_true, pred_shape, ignore_class)
    return Prepared(
        target=one_hot(labels, num_classes_of(pred_shape[-1])),
        scores=ops.where(ops.expand_dims(labels.valid, -1), y_pred, 0.0),
        weight=ops.expand_dims(pixel_weights(sample_weight, labels), -1),
        invalid=labels.invalid,
    )


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
    _check_reduce(reduce)
    for _ in range(len(x.shape) - 2):
        x = ops.sum(x, axis=-2)
    return ops.sum(x, axis=0, keepdims=True) if reduce == "batch" else x


def mean_of_units(values, counts, invalid):
    """Mean of the units' `values` where `counts` holds, 0 if it nowhere does; NaN if `invalid`.

    Through `where` an invalid batch yields the loss NaN but the gradient zero: it is seen, and yet
    spoils no weight.
    """
    counts = ops.cast(counts, "float32")
    mean = ops.divide_no_nan(ops.sum(values * counts), ops.sum(counts))
    return ops.where(invalid, float("nan"), mean)


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
    class_weight = _plain_weights(class_weight)
    if isinstance(class_weight, list):
        if len(class_weight) != num_classes:
            raise ValueError(
                f"class_weight has {len(class_weight)} weights for {num_classes} classes; give "
                "one each, or a dict {class id: weight}."
            )
        class_weight = dict(enumerate(class_weight))
    for id_, weight in (class_weight or {}).items():
        if not 0 <= id_ < num_classes:
            raise ValueError(f"class_weight names class {id_}; expected 0..{num_classes - 1}.")
        weights[id_] = weight
    return weights


class Loss(keras.losses.Loss):
    """A Keras loss that can be added to others and multiplied by a number.

    Example:

    >>> DiceLoss() + 0.5 * CrossEntropyLoss()
    <WeightedSum 1 * DiceLoss + 0.5 * CrossEntropyLoss>
    """

    __array_ufunc__ = None  # so that NumPy numbers leave `number * loss` to __rmul__

    def __init__(self, name=None):
        super().__init__(name=name, dtype="float32")

    def __add__(self, other):
        if not isinstance(other, keras.losses.Loss):
            return NotImplemented
        return WeightedSum([self, other])

    def __radd__(self, other):
        if not isinstance(other, keras.losses.Loss):
            return NotImplemented
        return WeightedSum([other, self])

    def __mul__(self, factor):
        if not isinstance(factor, numbers.Real):
            return NotImplemented
        return WeightedSum([self], [factor])

    __rmul__ = __mul__


class SegmentationLoss(Loss):
    """Base of the segmentation losses: holds their options, and calls their pure function.

    A subclass sets `function`, the pure function, and hands its own options to `super().__init__`;
    `function(y_true, y_pred, sample_weight, **options)` must return a scalar.

    Args:
        name: Name of the loss.
        reduce: `"batch"` or `"image"`.
        ignore_class: Void class id(s): int, sequence of ints, or None.
        class_weight: None, sequence, or {class id: weight}.
        **options: The remaining options of `function`.
    """

    function = None

    def __init__(self, name, *, reduce, ignore_class, class_weight, **options):
        super().__init__(name=name)
        _check_reduce(reduce)
        ids = void_ids(ignore_class)
        self.options = {
            **options,
            "reduce": reduce,
            "ignore_class": ids[0] if len(ids) == 1 else list(ids) or None,
            "class_weight": _plain_weights(class_weight),
        }

    def __call__(self, y_true, y_pred, sample_weight=None):
        # Keras would multiply the finished loss by sample_weight; here a weight belongs to a
        # pixel, before any ratio is formed. So it travels beside y_true, and Keras is left with
        # its scaling under tf.distribute.
        targets = (y_true,) if sample_weight is None else (y_true, sample_weight)
        return super().__call__(tuple(map(_to_float, targets)), y_pred)

    def call(self, y_true, y_pred):
        """One loss, of shape (1,): Keras scales for distribution only what it has to average."""
        labels, *sample_weight = y_true
        return ops.reshape(self.function(labels, y_pred, *sample_weight, **self.options), (1,))

    def get_config(self):
        return {"name": self.name, **self.options}


@keras.saving.register_keras_serializable(package="kseg")
class WeightedSum(Loss):
    """Sum of losses, each times a number; what `DiceLoss() + 0.5 * CrossEntropyLoss()` makes.

    Sums within sums are flattened. Every loss gets the same `y_true`, `y_pred` and `sample_weight`.

    Args:
        losses: Keras losses.
        weights: A finite number for each. Defaults to None: 1 for each.
        name: Name of the sum. Defaults to `"weighted_sum"`.

    Raises:
        ValueError: No loss, not as many weights as losses, or a weight that is not finite.
        TypeError: Something in `losses` is not a Keras loss.

    Example:

    >>> loss = WeightedSum([DiceLoss(), CrossEntropyLoss()], [1.0, 0.5])
    >>> float(loss(np.array([[0, 1]]), np.array([[[9.0, -9.0], [-9.0, 9.0]]]))) < 1e-3
    True
    """

    def __init__(self, losses, weights=None, name="weighted_sum"):
        super().__init__(name=name)
        weights = [1.0] * len(losses) if weights is None else [float(w) for w in weights]
        if not losses or len(losses) != len(weights) or not all(map(math.isfinite, weights)):
            raise ValueError(
                "WeightedSum needs at least one loss and a finite weight for each, received "
                f"{len(losses)} losses and weights={weights}."
            )
        self.losses, self.weights = [], []
        for loss, weight in zip(losses, weights, strict=True):
            if not isinstance(loss, keras.losses.Loss):
                raise TypeError(f"WeightedSum adds Keras losses, received {loss!r}.")
            parts = (
                (loss.losses, loss.weights) if isinstance(loss, WeightedSum) else ([loss], [1.0])
            )
            self.losses += parts[0]
            self.weights += [weight * w for w in parts[1]]

    def __call__(self, y_true, y_pred, sample_weight=None):
        terms = zip(self.weights, self.losses, strict=True)
        return sum(w * loss(y_true, y_pred, sample_weight) for w, loss in terms)

    def get_config(self):
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {"name": self.name, "losses": losses, "weights": list(self.weights)}

    @classmethod
    def from_config(cls, config):
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(losses, config["weights"], config["name"])

    def __repr__(self):
        terms = zip(self.weights, self.losses, strict=True)
        return f"<WeightedSum {' + '.join(f'{w:g} * {type(x).__name__}' for w, x in terms)}>"


def _to_float(x):
    return ops.convert_to_tensor(x, dtype="float32")


def _check_reduce(reduce):
    if reduce not in REDUCE:
        raise ValueError(f"reduce must be one of {REDUCE}, received reduce={reduce!r}.")


def _plain_weights(class_weight):
    """None, a list of floats or a dict {int: float}; also undoes JSON's string keys."""
    if class_weight is None:
        return None
    if isinstance(class_weight, dict):
        plain = {int(id_): float(weight) for id_, weight in class_weight.items()}
        values = plain.values()
    else:
        values = plain = [float(weight) for weight in class_weight]
    if not all(0 <= weight < math.inf for weight in values):
        raise ValueError(
            f"class_weight must hold finite numbers >= 0, received class_weight={class_weight}."
        )
    return plain

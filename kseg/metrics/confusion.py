"""Counting pixels by truth and prediction: once, exactly, and past 2**31 of them.

A confusion matrix counts, at row t and column p, the pixels of true class t predicted as p.
`confusion_matrix` and `scores` are plain NumPy; `ConfusionMetric` is the Keras metric that the
metrics in `iou.py` stand on. The formulas exist once, as `RATIOS`, for both.
"""

import keras
import numpy as np
from keras import ops

from kseg.ops import labels as labels_

# Counts are two int32 words, value = low + high * BASE: JAX has no int64 unless asked, and float32
# stops at 2**24. An update leaves low < BASE, so up to 127 replicas' words add without overflow,
# and high lasts for 2**55 pixels.
BASE = 2**24

# Of a class: tp, pixels of it predicted as it; truth, pixels of it; predicted, pixels predicted as
# it. Each ratio is (numerator, denominator) and undefined where the denominator is 0.
RATIOS = {
    "iou": lambda tp, truth, predicted: (tp, truth + predicted - tp),
    "dice": lambda tp, truth, predicted: (2 * tp, truth + predicted),
    "accuracy": lambda tp, truth, predicted: (tp, truth),
    "precision": lambda tp, truth, predicted: (tp, predicted),
}


def confusion_matrix(y_true, y_pred, num_classes, ignore_class=255):
    """Counts the pixels of each (true, predicted) pair of classes.

    Args:
        y_true: NumPy array of class ids, any shape.
        y_pred: NumPy array of class ids, of `y_true`'s shape.
        num_classes: Number of classes, >= 2 (2 for a binary problem).
        ignore_class: Void id(s) of `y_true`: int, sequence of ints, or None. Defaults to 255.

    Returns:
        int64 (num_classes, num_classes), rows the truth.

    Raises:
        ValueError: The shapes differ, or an id is neither a class nor void.

    Example:

    >>> confusion_matrix(np.array([0, 1, 1, 255]), np.array([0, 0, 1, 1]), 2)
    array([[1, 0],
           [1, 1]])
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {y_true.shape} but y_pred {y_pred.shape}.")
    valid = ~np.isin(y_true, labels_.void_ids(ignore_class))
    pairs = {"y_true": y_true[valid], "y_pred": y_pred[valid]}
    for name, ids in pairs.items():
        wrong = np.unique(ids[~np.isin(ids, np.arange(num_classes))])
        if wrong.size:
            raise ValueError(
                f"{name} holds {wrong[:10].tolist()}, which are not classes "
                f"(0..{num_classes - 1}); void ids belong in ignore_class={ignore_class!r}."
            )
    cells = pairs["y_true"].astype("int64") * num_classes + pairs["y_pred"].astype("int64")
    counts = np.bincount(cells, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def scores(confusion, ignore_class=None):
    """The usual segmentation scores of a confusion matrix.

    Args:
        confusion: Counts (C, C), rows the truth.
        ignore_class: Class id(s) to leave out of the means and to show as NaN, whose pixels were
            void when counting. Defaults to None.

    Returns:
        dict. Arrays of float64 (C,): `iou`, `dice`, `accuracy` (recall) and `precision`, NaN where
        undefined (0 / 0); `pixels`, int64 (C,), of each true class. Floats: `mean_iou`,
        `mean_dice` and `mean_accuracy` over the classes where they are defined, `pixel_accuracy`,
        and `frequency_weighted_iou`; NaN where nothing was counted. (Long et al. 2015, Fully
        convolutional networks, section 5.)

    Raises:
        ValueError: `confusion` is not square.

    Example:

    >>> scores(np.array([[1, 0], [1, 1]]))["iou"]
    array([0.5, 0.5])
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"confusion must be square, received shape {confusion.shape}.")
    tp, truth, predicted = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    scored = ~np.isin(np.arange(len(confusion)), labels_.void_ids(ignore_class))

    result = {}
    for name, ratio in RATIOS.items():
        above, below = ratio(tp, truth, predicted)
        result[name] = np.where(scored, _divide(above, below), np.nan)
    result["pixels"] = truth
    for name in ("iou", "dice", "accuracy"):
        defined = result[name][~np.isnan(result[name])]
        result[f"mean_{name}"] = float(_divide(defined.sum(), defined.size))
    total = confusion.sum()
    result["pixel_accuracy"] = float(_divide(tp.sum(), total))
    result["frequency_weighted_iou"] = float(_divide(np.nansum(truth * result["iou"]), total))
    return result


class ConfusionMetric(keras.metrics.Metric):
    """Base of the metrics that are computed from a confusion matrix.

    A subclass sets `default_name` and names its `ratio` in `RATIOS`. The result is the mean of that
    ratio over the classes where it is defined (denominator > 0), or for a binary problem the
    foreground's; 0 before any pixel was counted. Classes in `ignore_class` are never scored.

    Args:
        num_classes: Number of classes; 1 is a binary problem, of one channel and ids 0 and 1.
        ignore_class: Void class id(s) of `y_true`: int, sequence of ints, or None. Defaults to 255.
        class_names: A name for each class (two where `num_classes` is 1), for `per_class`.
            Defaults to None: the ids as strings.
        from_logits: Matters for one channel only: whether the threshold is 0 (logits) or 0.5
            (probabilities). Defaults to True.
        name: Name of the metric. Defaults to None: `default_name`.
        dtype: Kept for Keras; the counts are int32 words and the result is float32.

    Raises:
        ValueError: On an option outside its range.
    """

    ratio = None
    default_name = None

    def __init__(
        self,
        num_classes,
        *,
        ignore_class=255,
        class_names=None,
        from_logits=True,
        name=None,
        dtype=None,
    ):
        super().__init__(name=name or self.default_name, dtype=dtype)
        if not isinstance(num_classes, (int, np.integer)) or num_classes < 1:
            raise ValueError(f"num_classes must be an int >= 1, received {num_classes!r}.")
        self.num_classes = int(num_classes)
        self.ignore_class = labels_.void_ids(ignore_class)
        self.from_logits = from_logits
        size = labels_.num_classes_of(num_classes)
        self.class_names = tuple(str(name) for name in class_names or range(size))
        if len(set(self.class_names)) != size:
            raise ValueError(
                f"class_names must hold {size} different names for num_classes={num_classes}, "
                f"received {self.class_names}."
            )
        self.low = self.add_variable((size, size), "zeros", dtype="int32", name="low")
        self.high = self.add_variable((size, size), "zeros", dtype="int32", name="high")
        # Updates that met a wrong label inside compiled code, where raising is impossible.
        self.invalid = self.add_variable((), "zeros", dtype="int32", name="invalid")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch.

        Args:
            y_true: Class ids (B, ...) or (B, ..., 1); or one-hot labels (B, ..., C) (soft ones
                count for their largest class), all zero at void pixels.
            y_pred: Logits, probabilities or one-hot (B, ..., num_classes), read by argmax (or
                threshold where `num_classes` is 1); or integer class ids (B, ...) or (B, ..., 1).
            sample_weight: (B,), (B, ...) or (B, ..., 1). A pixel of weight 0 is not counted; any
                other counts once. Defaults to None.

        Raises:
            ValueError: Shapes that do not fit or can be read two ways; eager, an id that is
                neither a class nor void. Compiled code cannot raise: there the result becomes NaN.
        """
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        size = self.low.shape[0]
        predicted = self._predicted_ids(y_pred, labels_.static_shape(y_true))
        pred_shape = (*labels_.static_shape(predicted), self.num_classes)
        labels = labels_.read_labels(y_true, pred_shape, self.ignore_class)
        counted = labels_.pixel_weights(sample_weight, labels) != 0
        wrong = counted & ((predicted < 0) | (predicted >= size))
        invalid = labels_.refuse(
            wrong,
            lambda: (
                "y_pred holds "
                f"{np.unique(labels_.concrete(predicted)[labels_.concrete(wrong)])[:10].tolist()}, "
                f"which are not classes (0..{size - 1})."
            ),
        )
        predicted = ops.where(wrong | ops.logical_not(counted), 0, predicted)
        counts = _count_pairs(labels.ids, predicted, counted & ops.logical_not(wrong), size)
        self._add(counts % BASE, counts // BASE)
        invalid = ops.cast(ops.logical_or(invalid, labels.invalid), "int32")
        self.invalid.assign(self.invalid + invalid)

    def result(self):
        """The score as a float32 scalar, right to about 1e-6."""
        confusion = ops.cast(self.low, "float32") + ops.cast(self.high, "float32") * BASE
        value = self._score(confusion)
        return ops.where(self.invalid > 0, float("nan"), value)

    def merge_state(self, metrics):
        """Adds the counts of other metrics of this kind to this one's."""
        for metric in metrics:
            self._add(ops.convert_to_tensor(metric.low), ops.convert_to_tensor(metric.high))
            self.invalid.assign(self.invalid + metric.invalid)

    def confusion(self):
        """The counts so far: NumPy int64 (C, C), rows the truth; C is 2 for a binary problem.

        Raises:
            ValueError: Compiled code met a label that is neither a class nor void.
        """
        if int(ops.convert_to_numpy(self.invalid)):
            raise ValueError(
                f"{self.name} met ids that are neither classes (0..{self.low.shape[0] - 1}) nor "
                f"void (ignore_class={self.ignore_class}). Evaluate with run_eagerly=True to have "
                "them named."
            )
        low, high = (ops.convert_to_numpy(word).astype("int64") for word in (self.low, self.high))
        return low + high * BASE

    def per_class(self):
        """The ratio of each class, {class name: float}; NaN where it is undefined."""
        values = scores(self.confusion(), self.ignore_class)[self.ratio]
        return dict(zip(self.class_names, values.tolist(), strict=True))

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_class": list(self.ignore_class),
            "class_names": list(self.class_names),
            "from_logits": self.from_logits,
        }

    def _score(self, confusion):
        """Float32 score of float32 counts: the mean ratio over the classes that have one."""
        above, below = RATIOS[self.ratio](
            ops.diagonal(confusion), ops.sum(confusion, axis=1), ops.sum(confusion, axis=0)
        )
        classes = [1] if self.num_classes == 1 else range(self.num_classes)
        scored = [c in classes and c not in self.ignore_class for c in range(confusion.shape[0])]
        defined = ops.cast(below > 0, "float32") * ops.convert_to_tensor(scored, "float32")
        return ops.divide_no_nan(
            ops.sum(defined * ops.divide_no_nan(above, below)), ops.sum(defined)
        )

    def _add(self, low, high):
        """Adds words (C, C) to the counts and carries; `low` below 127 * BASE."""
        low = self.low + low
        self.low.assign(low % BASE)
        self.high.assign(self.high + high + low // BASE)

    def _predicted_ids(self, y_pred, true_shape):
        """Predicted class ids, int32 (B, ...); integers as they came, in range or not."""
        shape = labels_.static_shape(y_pred)
        kind = keras.backend.standardize_dtype(y_pred.dtype)
        is_ids = kind == "bool" or "int" in kind
        has_axis = len(shape) >= 2 and shape[-1] == self.num_classes
        if is_ids and has_axis and self.num_classes > 1:
            if shape == true_shape:
                raise ValueError(
                    f"y_true and y_pred are both {shape}, and integers: class ids, or one-hot? Add "
                    "a last axis of 1 to ids; cast a one-hot y_pred to float."
                )
            is_ids = len(shape) < len(true_shape)
        if not is_ids:
            if not has_axis:
                hint = " For a binary problem use num_classes=1." if shape[-1:] == (1,) else ""
                raise ValueError(
                    f"y_pred has shape {shape}; expected scores (B, ..., {self.num_classes}), or "
                    f"integer class ids.{hint}"
                )
            if self.num_classes > 1:
                return ops.argmax(y_pred, axis=-1)
            return ops.cast(y_pred[..., 0] > (0.0 if self.from_logits else 0.5), "int32")
        if len(shape) >= 2 and shape[-1] == 1:
            y_pred = ops.squeeze(y_pred, axis=-1)
        return ops.cast(y_pred, "int32")


def _count_pairs(truth, predicted, counted, size):
    """int32 counts (size, size) of the pairs (truth, predicted) where `counted` holds.

    Exact for 2**31 - 1 pixels. Milliseconds for 573,440 pixels of 11 classes (2 busy cores, best
    of 15; TensorFlow as graph / XLA, JAX jitted, torch eager):

                            TensorFlow      JAX       torch
        ops.segment_sum     24 / 3.0        1.3       140, in float32: inexact past 2**24
        ops.bincount        4.6 / fails     fails     53
        one-hot matmul      29 / 70         39        163, inexact past 2**24
        ops.scatter         36 / 2.6        1.4       9,000
    """
    cells = truth * size + predicted
    if keras.config.backend() != "torch":
        counts = ops.segment_sum(
            ops.cast(ops.reshape(counted, (-1,)), "int32"), ops.reshape(cells, (-1,)), size * size
        )
    elif str(truth.device) == "meta":  # Keras is asking for shapes only
        counts = ops.zeros((size * size,), dtype="int32")
    else:
        counts = ops.bincount(ops.reshape(cells[counted], (-1,)), minlength=size * size)
    return ops.reshape(counts, (size, size))


def _divide(above, below):
    """above / below in float64, NaN where below is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below != 0, np.asarray(above, "float64") / below, np.nan)

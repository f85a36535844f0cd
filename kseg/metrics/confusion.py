"""Counting pixels by truth and prediction: once, exactly, and past 2**31 of them.

A confusion matrix counts, at row t and column p, the pixels of true class t predicted as p.
`confusion_matrix` and `scores` are plain NumPy; `ConfusionMetric` is the Keras metric that the
metrics in `iou.py` stand on. The formulas exist once, as `RATIOS`, for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from kseg.base import arguments
from kseg.base.arguments import refused
from kseg.base.types import ClassChoice, ClassIds, Tensor, Threshold
from kseg.metrics.base import ClassMetric, class_count, count_pairs, divide, mean_of_defined
from kseg.ops import labels as labels_
from kseg.ops.decisions import above

PIECE = 1 << 22  # pixels counted at a time: a few copies of them are in memory

# Of a class: tp, pixels of it predicted as it; truth, pixels of it; predicted, pixels predicted as
# it. Each ratio is (numerator, denominator) and undefined where the denominator is 0.
RATIOS = {
    "iou": lambda tp, truth, predicted: (tp, truth + predicted - tp),
    "dice": lambda tp, truth, predicted: (2 * tp, truth + predicted),
    "accuracy": lambda tp, truth, predicted: (tp, truth),
    "precision": lambda tp, truth, predicted: (tp, predicted),
}


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, num_classes: int, ignore_class: ClassIds = 255
) -> np.ndarray:
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
        raise refused("y_pred.shape", y_pred.shape, f"that of y_true, {y_true.shape}")
    y_true, y_pred = y_true.reshape(-1), y_pred.reshape(-1)
    counts = np.zeros(num_classes**2, np.int64)
    for start in range(0, max(1, y_true.size), PIECE):
        piece = slice(start, start + PIECE)
        counts += _counts(y_true[piece], y_pred[piece], num_classes, ignore_class)
    return counts.reshape(num_classes, num_classes)


def _counts(y_true, y_pred, num_classes, ignore_class):
    """Pixels of each pair, `(num_classes**2,)`, of some that are few enough to be copied."""
    valid = ~np.isin(y_true, labels_.void_ids(ignore_class))
    pairs = {"y_true": y_true[valid], "y_pred": y_pred[valid]}
    for name, ids in pairs.items():
        wrong = np.unique(ids[~np.isin(ids, np.arange(num_classes))])
        if wrong.size:
            raise refused(
                f"ids in {name}",
                wrong[:10].tolist(),
                f"classes, 0..{num_classes - 1}",
                f"Void ids belong in ignore_class={ignore_class!r}.",
            )
    cells = pairs["y_true"].astype("int64") * num_classes + pairs["y_pred"].astype("int64")
    return np.bincount(cells, minlength=num_classes**2)


def scores(confusion: ArrayLike, ignore_class: ClassIds = None) -> dict[str, Any]:
    """The usual segmentation scores of a confusion matrix.

    Args:
        confusion: Counts (C, C), rows the truth. Of pixels that may have several classes, counts
            (C, 2, 2): for each class those of a binary problem.
        ignore_class: Class id(s) to leave out of the means and to show as NaN, whose pixels were
            void when counting. Defaults to None.

    Returns:
        dict. Arrays of float64 (C,): `iou`, `dice`, `accuracy` (recall) and `precision`, NaN where
        undefined (0 / 0); `pixels`, int64 (C,), of each true class. Floats: `mean_iou`,
        `mean_dice` and `mean_accuracy` over the classes where they are defined, `pixel_accuracy`,
        and `frequency_weighted_iou`; NaN where nothing was counted. (Long et al. 2015, Fully
        convolutional networks, section 5.) Of (C, 2, 2) all are of the classes' presence, and
        `pixel_accuracy` is the share of labels, each of a pixel and a class, that are right.

    Raises:
        ValueError: `confusion` is neither.

    Example:

    >>> scores(np.array([[1, 0], [1, 1]]))["iou"]
    array([0.5, 0.5])
    """
    confusion = np.asarray(confusion)
    if confusion.ndim == 3 and confusion.shape[1:] == (2, 2):
        right = confusion[:, 0, 0].sum() + confusion[:, 1, 1].sum()
    elif confusion.ndim == 2 and confusion.shape[0] == confusion.shape[1]:
        right = np.trace(confusion)
    else:
        expected = "a square matrix, (C, C), or one for each class, (C, 2, 2)"
        raise refused("confusion.shape", confusion.shape, expected)
    tp, truth, predicted = parts(confusion, np)
    result = scores_of_parts(tp, truth, predicted, right, confusion.sum(), ignore_class)
    means = {name: float(value) for name, value in result.items() if not value.ndim}
    return {**result, **means}


def scores_of_parts(tp, truth, predicted, right, total, ignore_class=None):
    """As `scores`, of what `parts` gives, maybe of many matrices at once.

    Args:
        tp, truth, predicted: `(..., C)`.
        right, total: Of all pixels, or labels, those that are right, and how many there are;
            `(...)`.
        ignore_class: As of `scores`.

    Returns:
        dict of arrays `(..., C)` and `(...)`.
    """
    scored = ~np.isin(np.arange(tp.shape[-1]), labels_.void_ids(ignore_class))
    result = {
        name: np.where(scored, divide(*ratio(tp, truth, predicted)), np.nan)
        for name, ratio in RATIOS.items()
    }
    result["pixels"] = truth
    for name in ("iou", "dice", "accuracy"):
        result[f"mean_{name}"] = mean_of_defined(result[name])
    result["pixel_accuracy"] = divide(right, total)
    weighted = np.nansum(truth * result["iou"], axis=-1)
    result["frequency_weighted_iou"] = divide(weighted, truth.sum(-1))
    return result


def parts(confusion, xp):
    """Of each class: pixels of it predicted as it, pixels of it, pixels predicted as it; (C,) each.

    Args:
        confusion: (C, C), or (C, 2, 2) of pixels that may have several classes.
        xp: `numpy` or `keras.ops`.
    """
    if len(confusion.shape) == 3:
        return (
            confusion[:, 1, 1],
            xp.sum(confusion[:, 1], axis=1),
            xp.sum(confusion[..., 1], axis=1),
        )
    return xp.diagonal(confusion), xp.sum(confusion, axis=1), xp.sum(confusion, axis=0)


def multilabel_counts(
    y_true: ArrayLike, y_pred: ArrayLike, ignore_class: ClassIds = 255
) -> np.ndarray:
    """Counts pixels of each class, where a pixel may have several: true or not, predicted or not.

    Args:
        y_true: NumPy array of 0, 1 and void, (..., C).
        y_pred: NumPy array of 0 and 1 or bool, of `y_true`'s shape.
        ignore_class: Void value(s) of `y_true`: int, sequence of ints, or None. Defaults to 255.

    Returns:
        int64 (C, 2, 2), of each class rows the truth.

    Raises:
        ValueError: The shapes differ, or a value is neither 0, 1 nor void.

    Example:

    >>> multilabel_counts(np.array([[1, 0], [1, 255]]), np.array([[1, 1], [0, 1]])).tolist()
    [[[0, 0], [1, 1]], [[0, 1], [0, 0]]]
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    classes = range(y_true.shape[-1])
    if y_true.shape != y_pred.shape:
        raise refused("y_pred.shape", y_pred.shape, f"that of y_true, {y_true.shape}")
    pairs = ((y_true[..., c], y_pred[..., c]) for c in classes)
    return np.stack([confusion_matrix(*pair, 2, ignore_class) for pair in pairs])


def _threshold(value, multilabel, size):
    """The threshold of a metric, 0.5 by default; of no meaning where a pixel has one class."""
    if value is None:
        return 0.5
    if not multilabel:
        expected = "None without multilabel=True"
        raise refused("threshold", value, expected, "Of several classes the most probable wins.")
    return arguments.threshold("threshold", value, size)


class ConfusionMetric(ClassMetric):
    """Base of the metrics that are computed from a confusion matrix.

    A subclass sets `default_name` and names its `kind` in `RATIOS`; `MeanIoU` has the arguments.
    """

    kind = None

    def __init__(
        self,
        num_classes: int,
        *,
        ignore_class: ClassIds = 255,
        class_names: Sequence[str] | None = None,
        classes: ClassChoice = None,
        from_logits: bool = True,
        multilabel: bool = False,
        threshold: Threshold | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        size = num_classes if multilabel else class_count(num_classes)
        self.multilabel, self.threshold = multilabel, _threshold(threshold, multilabel, size)
        super().__init__(
            (size, 2, 2) if multilabel else (size, size),
            num_classes=num_classes,
            ignore_class=ignore_class,
            class_names=class_names,
            classes=classes,
            from_logits=from_logits,
            name=name,
            dtype=dtype,
        )

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        if not self.multilabel:
            super().update_state(y_true, y_pred, sample_weight)
            return
        labels = labels_.read_multilabel(y_true, labels_.static_shape(y_pred), self.ignore_class)
        counted = labels_.label_weights(sample_weight, labels) != 0
        predicted = ops.cast(self._decided(ops.convert_to_tensor(y_pred)), "int32")
        class_ids = ops.arange(self.num_classes, dtype="int32")
        rows = 2 * ops.broadcast_to(class_ids, ops.shape(labels.ids)) + labels.ids
        shape = (2 * self.num_classes, 2)
        counts = count_pairs(rows, ops.where(counted, predicted, 0), counted, shape)
        self._count_batch(ops.reshape(counts, self.low.shape), labels.invalid)

    update_state.__doc__ = ClassMetric.update_state.__doc__

    def _decided(self, y_pred):
        """Which classes are predicted, bool or 0 and 1 (B, ..., C)."""
        if y_pred.shape[-1] != self.num_classes:
            expected = f"scores (B, ..., {self.num_classes})"
            raise refused("y_pred.shape", labels_.static_shape(y_pred), expected)
        if not keras.backend.is_float_dtype(y_pred.dtype):
            return ops.cast(y_pred, "bool")
        y_pred = ops.cast(y_pred, "float32")
        return above(ops.sigmoid(y_pred) if self.from_logits else y_pred, self.threshold)

    def count(self, truth, predicted, counted):
        return count_pairs(truth, predicted, counted, self.low.shape)

    def ratio(self, counts):
        return RATIOS[self.kind](*parts(counts, ops))

    def get_config(self) -> dict[str, Any]:
        own = {"multilabel": self.multilabel, "threshold": self.threshold}
        return {**super().get_config(), **(own if self.multilabel else {})}

    def confusion(self) -> np.ndarray:
        """The counts so far: NumPy int64 (C, C), rows the truth; C is 2 for a binary problem.

        With `multilabel` they are (C, 2, 2), of each class those of a binary problem.

        Raises:
            ValueError: Compiled code met a label that is neither a class nor void.
        """
        return self.counts()

    def per_class(self) -> dict[str, float]:
        """The ratio of each class, {class name: float}; NaN where it is undefined.

        Raises:
            ValueError: Compiled code met a label that is neither a class nor void.
        """
        values = scores(self.confusion(), self.void_classes())[self.kind]
        return dict(zip(self.class_names, values.tolist(), strict=True))

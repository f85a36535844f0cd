"""What the metrics share: exact counts of pixels, and scores by class.

`CountingMetric` holds the counts, `ClassMetric` turns them into one score for each class. A metric
says what it counts (`count`) and what a class scores (`ratio`); both run compiled. Counts are
integers, so neither the order of the batches, nor how an image set is split over shards and merged
again, changes the last bit of a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kseg.base.arguments import integer, name_list, refused
from kseg.base.types import ClassChoice, ClassIds, Tensor
from kseg.ops import labels as labels_
from kseg.ops import replicas

# Counts are two int32 words, value = low + high * BASE: JAX has no int64 unless asked, and float32
# stops at 2**24. An update leaves low < BASE, so up to 127 replicas' words add without overflow,
# and high lasts for 2**55 pixels.
BASE = 2**24


class CountingMetric(keras.metrics.Metric):
    """Base of the metrics that count pixels: exact past 2**31 of them, and merged exactly.

    Args:
        shape: Shape of the counts.
        num_classes: Number of classes; 1 is a binary problem, of one channel and ids 0 and 1.
        ignore_class: Void class id(s) of `y_true`: int, sequence of ints, or None.
        from_logits: Whether scores are logits rather than probabilities.
        name: Name of the metric.
        dtype: Kept for Keras; the counts are int32 words and the result is float32.

    Raises:
        ValueError: On an option outside its range.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        num_classes: int,
        ignore_class: ClassIds,
        from_logits: bool,
        name: str,
        dtype: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        class_count(num_classes)
        self.num_classes = int(num_classes)
        self.ignore_class = labels_.void_ids(ignore_class)
        self.from_logits = from_logits
        self.low = self.add_variable(shape, "zeros", dtype="int32", name="low")
        self.high = self.add_variable(shape, "zeros", dtype="int32", name="high")
        # Updates that met a wrong label inside compiled code, where raising is impossible.
        self.invalid = self.add_variable((), "zeros", dtype="int32", name="invalid")

    def score(self, counts):
        """The result, a float32 scalar, of the counts as float32. A subclass says."""
        raise NotImplementedError

    def result(self) -> Tensor:
        """The score as a float32 scalar, right to about 1e-6."""
        counts = ops.cast(self.low, "float32") + ops.cast(self.high, "float32") * BASE
        return ops.where(self.invalid > 0, float("nan"), self.score(counts))

    def merge_state(self, metrics: Iterable[CountingMetric]) -> None:
        """Adds the counts of other metrics of this kind to this one's."""
        for metric in metrics:
            self._add(ops.convert_to_tensor(metric.low), ops.convert_to_tensor(metric.high))
            self.invalid.assign(self.invalid + metric.invalid)

    def counts(self) -> np.ndarray:
        """The counts so far, as NumPy int64.

        Raises:
            ValueError: Compiled code met a value that eager code would have refused.
        """
        if int(ops.convert_to_numpy(self.invalid)):
            size = labels_.num_classes_of(self.num_classes)
            raise refused(
                self.name,
                float("nan"),
                f"ids of classes, 0..{size - 1}, or void, ignore_class={self.ignore_class}, and "
                "predictions that can be read",
                "Evaluate with run_eagerly=True to have those named that are not.",
            )
        low, high = (ops.convert_to_numpy(word).astype("int64") for word in (self.low, self.high))
        return low + high * BASE

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_class": list(self.ignore_class),
            "from_logits": self.from_logits,
        }

    def _count_batch(self, counts, invalid):
        """Adds the int32 counts of a batch, of all workers; `invalid` is a bool scalar."""
        counts, invalid = map(replicas.counted, (counts, ops.cast(invalid, "int32")))
        self._add(counts % BASE, counts // BASE)
        self.invalid.assign(self.invalid + invalid)

    def _add(self, low, high):
        """Adds words to the counts and carries; `low` below 127 * BASE."""
        low = self.low + low
        self.low.assign(low % BASE)
        self.high.assign(self.high + high + low // BASE)


class ClassMetric(CountingMetric):
    """Base of the metrics that score each class; the result is the mean over the classes.

    A subclass sets `default_name` and says `count` and `ratio`. The mean is over the classes where
    the ratio is defined (denominator > 0), and 0 with none left, as before any pixel was counted.
    Classes in `ignore_class` are never scored.

    Args:
        shape: Shape of the counts.
        num_classes: Number of classes; 1 is a binary problem, of one channel and ids 0 and 1.
        ignore_class: Void class id(s) of `y_true`: int, sequence of ints, or None.
        class_names: A name for each class (two where `num_classes` is 1), or None for the ids.
        classes: The class or classes that the result is made of, each an id or a name; None for
            all, or the foreground alone where the problem is binary and `foreground` is set.
        from_logits: Matters for one channel only: whether the threshold is 0 (logits) or 0.5
            (probabilities).
        name: Name of the metric, or None: `default_name`, followed by the `classes` if given.
        dtype: Kept for Keras.

    Raises:
        ValueError: On an option outside its range.
    """

    default_name = None
    _direction = "up"  # Keras' name for whether more is better, by which mode="auto" goes
    foreground = True  # a binary problem's result is that of class 1
    multilabel = False  # whether a pixel may have several classes

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        num_classes: int,
        ignore_class: ClassIds,
        class_names: Sequence[str] | None,
        classes: ClassChoice,
        from_logits: bool,
        name: str | None,
        dtype: Any,
    ) -> None:
        size = class_count(num_classes) if not self.multilabel else num_classes
        if class_names is None:
            class_names = list(map(str, range(size)))
        names = name_list("class_names", class_names)
        if len(set(names)) != size:
            raise refused(
                "class_names", names, f"{size} different names for num_classes={num_classes}"
            )
        void = () if self.multilabel else labels_.void_ids(ignore_class)
        chosen = _chosen(classes, names, void)
        super().__init__(
            shape,
            num_classes=num_classes,
            ignore_class=ignore_class,
            from_logits=from_logits,
            name=name or _named(self.default_name, names, chosen),
            dtype=dtype,
        )
        self.class_names, self.classes = names, chosen

    def count(self, truth, predicted, counted):
        """int32 counts of a batch. `truth`, `predicted`: ids (B, ...), 0 where not `counted`."""
        raise NotImplementedError

    def ratio(self, counts):
        """(numerator, denominator) of each class' score, float32 (C,), of float32 counts."""
        raise NotImplementedError

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
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
        size = labels_.num_classes_of(self.num_classes)
        predicted = self._predicted_ids(y_pred, labels_.static_shape(y_true))
        pred_shape = (*labels_.static_shape(predicted), self.num_classes)
        labels = labels_.read_labels(y_true, pred_shape, self.ignore_class)
        counted = labels_.pixel_weights(sample_weight, labels) != 0
        wrong = counted & ((predicted < 0) | (predicted >= size))
        invalid = labels_.refuse(
            wrong,
            lambda: refused(
                "ids in y_pred",
                np.unique(labels_.concrete(predicted)[labels_.concrete(wrong)])[:10].tolist(),
                f"classes, 0..{size - 1}",
            ),
        )
        counted = counted & ops.logical_not(wrong)
        predicted = ops.where(counted, predicted, 0)
        counts = self.count(ops.where(counted, labels.ids, 0), predicted, counted)
        self._count_batch(counts, ops.logical_or(invalid, labels.invalid))

    def score(self, counts):
        above, below = self.ratio(counts)
        defined = ops.cast(below > 0, "float32") * self.scored()
        return ops.divide_no_nan(
            ops.sum(defined * ops.divide_no_nan(above, below)), ops.sum(defined)
        )

    def scored(self):
        """float32 (C,): 1 for the classes that the result is made of, 0 for the rest."""
        everything = range(len(self.class_names))
        binary = self.num_classes == 1 and not self.multilabel
        default = (1,) if binary and self.foreground else everything
        chosen = default if self.classes is None else self.classes
        return ops.convert_to_tensor(
            [float(c in chosen and c not in self.void_classes()) for c in everything]
        )

    def void_classes(self) -> tuple[int, ...]:
        """The classes that are void: none where a pixel may have several, void or not each."""
        return () if self.multilabel else self.ignore_class

    def per_class(self) -> dict[str, float]:
        """The score of each class, {class name: float}; NaN where it is undefined or ignored.

        Raises:
            ValueError: Compiled code met a label that is neither a class nor void.
        """
        above, below = self.ratio(ops.convert_to_tensor(self.counts().astype("float32")))
        values = divide(ops.convert_to_numpy(above), ops.convert_to_numpy(below))
        ignored = [c in self.void_classes() for c in range(len(self.class_names))]
        values = np.where(ignored, np.nan, values).tolist()
        return dict(zip(self.class_names, values, strict=True))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_names": list(self.class_names),
            "classes": None if self.classes is None else list(self.classes),
        }

    def _predicted_ids(self, y_pred, true_shape):
        """Predicted class ids, int32 (B, ...); integers as they came, in range or not."""
        shape = labels_.static_shape(y_pred)
        kind = keras.backend.standardize_dtype(y_pred.dtype)
        is_ids = kind == "bool" or "int" in kind
        has_axis = len(shape) >= 2 and shape[-1] == self.num_classes
        if is_ids and has_axis and self.num_classes > 1:
            if shape == true_shape:
                raise refused(
                    "y_pred.shape",
                    shape,
                    "another shape of integers than that of y_true, or floats",
                    "They may be class ids or one-hot: add a last axis of 1 to ids, or cast a "
                    "one-hot y_pred to float.",
                )
            is_ids = len(shape) < len(true_shape)
        if not is_ids:
            if not has_axis:
                binary = "For a binary problem use num_classes=1." if shape[-1:] == (1,) else ""
                expected = f"scores (B, ..., {self.num_classes}), or integer class ids"
                raise refused("y_pred.shape", shape, expected, binary)
            if self.num_classes > 1:
                return ops.argmax(y_pred, axis=-1)
            return ops.cast(y_pred[..., 0] > (0.0 if self.from_logits else 0.5), "int32")
        if len(shape) >= 2 and shape[-1] == 1:
            y_pred = ops.squeeze(y_pred, axis=-1)
        return ops.cast(y_pred, "int32")


def count_pairs(rows, columns, counted, shape):
    """int32 counts of `shape` (R, S) of the pairs (row, column) where `counted` holds.

    Exact for 2**31 - 1 pixels. Milliseconds for 573,440 pixels of 11 classes (2 busy cores, best
    of 15; TensorFlow as graph / XLA, JAX jitted, torch eager):

                            TensorFlow      JAX       torch
        ops.segment_sum     24 / 3.0        1.3       140, in float32: inexact past 2**24
        ops.bincount        4.6 / fails     fails     53
        one-hot matmul      29 / 70         39        163, inexact past 2**24
        ops.scatter         36 / 2.6        1.4       9,000
    """
    size = shape[0] * shape[1]
    cells = rows * shape[1] + columns
    if keras.config.backend() != "torch":
        counts = ops.segment_sum(
            ops.cast(ops.reshape(counted, (-1,)), "int32"), ops.reshape(cells, (-1,)), size
        )
    elif str(rows.device) == "meta":  # Keras is asking for shapes only
        counts = ops.zeros((size,), dtype="int32")
    else:
        counts = ops.bincount(ops.reshape(cells[counted], (-1,)), minlength=size)
    return ops.reshape(counts, shape)


def divide(above, below):
    """above / below in float64, NaN where below is 0; NumPy."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below != 0, np.asarray(above, "float64") / below, np.nan)


def mean_of_defined(values):
    """The mean over the last axis without what is NaN, float64 `(...)`; NaN where all is."""
    defined = ~np.isnan(values)
    return divide(np.where(defined, values, 0).sum(-1), defined.sum(-1))


def class_count(num_classes):
    """Number of classes that a metric tells apart: 2 for a binary problem, whose argument is 1."""
    return labels_.num_classes_of(integer("num_classes", num_classes))


def _chosen(classes, names, void):
    """`classes` as a tuple of ids, or None; ValueError where one is not there to be scored."""
    if classes is None:
        return None
    several = tuple(classes) if isinstance(classes, (list, tuple)) else (classes,)
    ids = [names.index(c) if isinstance(c, str) and c in names else c for c in several]
    for given, class_id in zip(several, ids, strict=True):
        is_id = isinstance(class_id, (int, np.integer)) and not isinstance(class_id, bool)
        if not is_id or not 0 <= class_id < len(names) or class_id in void:
            raise refused(
                "classes", given, f"names of {names} or their ids, not of ignore_class={void}"
            )
    if not ids or len(set(ids)) != len(ids):
        raise refused("classes", classes, "one class or several, each once")
    return tuple(int(class_id) for class_id in ids)


def _named(default_name, names, chosen):
    """`iou_car` for one class, `mean_iou_car_bus` for several, so that metrics do not collide."""
    if chosen is None:
        return default_name
    prefix = default_name if len(chosen) > 1 else default_name.removeprefix("mean_")
    return "_".join([prefix, *(names[c] for c in chosen)])

"""Expected calibration error: does a model that says 80 % turn out right 80 % of the time?"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kseg.base.arguments import integer, refused
from kseg.base.types import ClassIds, Tensor
from kseg.metrics.base import CountingMetric, class_count, count_pairs, divide
from kseg.ops import labels as labels_
from kseg.ops.decisions import top_class

# A confidence is kept as an integer of 24 bits, in units of 1 / UNIT: a rounding of 3e-8, what
# float32 itself has near 1. Its sum over pixels would overflow int32 at 128 pixels, so what is
# counted is how often each value of each of its three bytes comes, and of its correctness (0 or 1).
UNIT = 2**24 - 1
BYTE = 256
PARTS = ("low byte", "middle byte", "high byte", "correct")


@keras.saving.register_keras_serializable(package="kseg")
class ExpectedCalibrationError(CountingMetric):
    """Expected calibration error (ECE) of the predicted class, over all valid pixels.

    Pixels are put into M bins by confidence, the probability of the predicted class, bin m holding
    ((m-1)/M, m/M]. With |B_m| pixels of n in a bin,

        ECE = sum over m of |B_m| / n * |accuracy(B_m) - confidence(B_m)|

    (Guo et al. 2017, On calibration of modern neural networks, equations 2, 3 and 5). Of a binary
    problem's one channel p, the confidence is max(p, 1 - p), as of a softmax of two.

    Confidences are rounded to 24 bits and counted as integers: given the same confidences, the
    result is the same to the last bit in whatever order, batches or shards they come.

    Args:
        num_classes: Number of classes; 1 is a binary problem, of one channel and ids 0 and 1.
        bins: M, > 0. Defaults to 15.
        ignore_class: Void class id(s) of `y_true`: int, sequence of ints, or None. Defaults to 255.
        from_logits: Whether predictions are logits rather than probabilities. Defaults to True.
        name: Defaults to `"calibration_error"`.
        dtype: Kept for Keras; the counts are int32 words and the result is float32.

    Raises:
        ValueError: On an option outside its range; `update_state` says what it raises.

    Example:

    >>> metric = ExpectedCalibrationError(2, from_logits=False)
    >>> metric.update_state(np.array([[0, 0]]), np.array([[[0.8, 0.2], [0.2, 0.8]]]))
    >>> round(float(metric.result()), 4)  # says 80 %, is right 50 %
    0.3
    """

    _direction = "down"  # as in `ClassMetric`

    def __init__(
        self,
        num_classes: int,
        bins: int = 15,
        *,
        ignore_class: ClassIds = 255,
        from_logits: bool = True,
        name: str = "calibration_error",
        dtype: Any = None,
    ) -> None:
        self.bins = integer("bins", bins)
        super().__init__(
            (len(PARTS), self.bins, BYTE),
            num_classes=num_classes,
            ignore_class=ignore_class,
            from_logits=from_logits,
            name=name,
            dtype=dtype,
        )

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Counts a batch.

        Args:
            y_true: Class ids (B, ...) or (B, ..., 1); or one-hot labels (B, ..., C) (soft ones
                count for their largest class), all zero at void pixels.
            y_pred: Logits or probabilities (B, ..., num_classes), float.
            sample_weight: (B,), (B, ...) or (B, ..., 1). A pixel of weight 0 is not counted; any
                other counts once. Defaults to None.

        Raises:
            ValueError: Shapes that do not fit; eager, an id that is neither a class nor void, or a
                probability outside 0..1. Compiled code cannot raise: there the result becomes NaN,
                as everywhere on predictions of NaN.
        """
        y_pred = ops.convert_to_tensor(y_pred)
        shape = labels_.static_shape(y_pred)
        if len(shape) < 2 or shape[-1] != self.num_classes:
            raise refused("y_pred.shape", shape, f"scores (B, ..., {self.num_classes})")
        if not keras.backend.is_float_dtype(y_pred.dtype):
            raise refused(
                "y_pred.dtype",
                keras.backend.standardize_dtype(y_pred.dtype),
                "logits or probabilities, floats",
                "Class ids say nothing of confidence.",
            )
        labels = labels_.read_labels(y_true, shape, self.ignore_class)
        counted = labels_.pixel_weights(sample_weight, labels) != 0
        predicted, confidence = top_class(y_pred, self.from_logits)
        self._count_confidence(confidence, predicted == labels.ids, counted, labels.invalid)

    def update_confidence(self, y_true: Tensor, y_pred: Tensor, confidence: Tensor) -> None:
        """Counts pixels of known confidence, as `top_class` gives it.

        Args:
            y_true: Class ids (B, ...).
            y_pred: Predicted class ids, of the same shape.
            confidence: Probability of each predicted class, float32, of the same shape.

        Raises:
            ValueError: As `update_state`.
        """
        shape = (*labels_.static_shape(y_pred), class_count(self.num_classes))
        labels = labels_.read_labels(y_true, shape, self.ignore_class)
        correct = ops.cast(y_pred, "int32") == labels.ids
        self._count_confidence(confidence, correct, labels.valid, labels.invalid)

    def score(self, counts):
        pixels, confidence, correct = self._sums(counts, ops)
        return ops.divide_no_nan(ops.sum(ops.absolute(correct - confidence)), ops.sum(pixels))

    def reliability(self) -> dict[str, np.ndarray]:
        """The numbers of a reliability diagram, by bin, as NumPy arrays of length `bins`.

        Returns:
            dict of `"pixels"`, int64; `"confidence"` and `"accuracy"`, the means, float64, NaN in
            an empty bin.

        Raises:
            ValueError: Compiled code met a value that eager code would have refused.
        """
        pixels, confidence, correct = self._sums(self.counts(), np)
        return {
            "pixels": pixels,
            "confidence": divide(confidence, pixels),
            "accuracy": divide(correct, pixels),
        }

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bins": self.bins}

    def _count_confidence(self, confidence, correct, counted, invalid):
        confidence = ops.cast(confidence, "float32")
        # A diverged model's NaN makes the result NaN, as it does the loss, and stops nothing.
        known = confidence == confidence
        invalid = ops.logical_or(invalid, ops.any(counted & ops.logical_not(known)))
        counted = counted & known
        wrong = counted & ((confidence < 0) | (confidence > 1 + 1e-3))  # a sum may round past 1
        improbable = labels_.refuse(
            wrong,
            lambda: refused(
                "confidence in y_pred",
                float(labels_.concrete(confidence)[labels_.concrete(wrong)][0]),
                f"a probability, as from_logits={self.from_logits}",
            ),
        )
        counted = counted & ops.logical_not(wrong)
        confidence = ops.minimum(ops.where(counted, confidence, 0.0), 1.0)
        bin_ = ops.clip(ops.cast(ops.ceil(confidence * self.bins), "int32") - 1, 0, self.bins - 1)
        scaled = ops.cast(ops.round(confidence * UNIT), "int32")
        parts = [scaled % BYTE, scaled // BYTE % BYTE, scaled // BYTE**2, correct]
        counts = [
            count_pairs(bin_, ops.cast(part, "int32"), counted, (self.bins, BYTE)) for part in parts
        ]
        counts = ops.stack([ops.cast(count, "int32") for count in counts])
        self._count_batch(counts, ops.logical_or(invalid, improbable))

    def _sums(self, counts, xp):
        """Of each bin: pixels, their summed confidence, and how many are correct."""
        low, middle, high, correct = (
            xp.sum(counts[part] * xp.arange(BYTE, dtype=counts.dtype), axis=-1)
            for part in range(len(PARTS))
        )
        # Floats from here: the sum in units would leave int64 at 2**39 pixels.
        confidence = (low + middle * float(BYTE) + high * float(BYTE**2)) / UNIT
        return xp.sum(counts[0], axis=-1), confidence, correct

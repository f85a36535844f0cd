"""How well contours fit: Boundary IoU and the boundary F1 score, counted exactly over all images.

Counts are pooled over images, and the score follows from the sums. So neither batches nor shards
change it, and an image without a class needs no convention.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kseg.base.arguments import number, refused
from kseg.base.types import ClassChoice, ClassIds, Tensor
from kseg.metrics import contours
from kseg.metrics.base import ClassMetric, class_count, divide
from kseg.metrics.confusion import RATIOS


class BoundaryMetric(ClassMetric):
    """Base of the boundary metrics: a number of rows of counts, and a distance.

    `BoundaryIoU` and `BoundaryF1` have the arguments.
    """

    rows = None  # counts of each class

    def __init__(
        self,
        num_classes: int,
        *,
        ignore_class: ClassIds,
        class_names: Sequence[str] | None,
        classes: ClassChoice,
        from_logits: bool,
        name: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(
            (self.rows, class_count(num_classes)),
            num_classes=num_classes,
            ignore_class=ignore_class,
            class_names=class_names,
            classes=classes,
            from_logits=from_logits,
            name=name,
            dtype=dtype,
        )

    def sets(self, true, predicted, ids, xp):
        """The `rows` maps of sets to count, from the class sets of truth and prediction.

        `ids` is a label map (B, H, W), for its size; `xp` is `keras.ops` or NumPy.
        """
        raise NotImplementedError

    def count(self, truth, predicted, counted, xp=ops):
        if len(truth.shape) != 3:
            raise refused("y_true.shape", tuple(truth.shape), f"images for {self.name}, (B, H, W)")
        size = self.low.shape[1]
        both = (contours.class_sets(ids, counted, size, xp) for ids in (truth, predicted))
        sets = xp.stack(self.sets(*both, truth, xp))  # (rows, B, H, W, K)
        counts = contours.count_members(sets, size, xp)
        return ops.cast(counts, "int32")

    def update_arrays(self, y_true: np.ndarray, y_pred: np.ndarray) -> None:
        """`update_state` of NumPy ids, by NumPy: the same counts, and nothing is compiled.

        That is quicker where every image has another size, above all on JAX.

        Args:
            y_true: Class ids, NumPy (B, H, W).
            y_pred: Class ids, NumPy (B, H, W), all in 0..C-1.
        """
        self._count_batch(self.counts_of(y_true, y_pred), False)

    def counts_of(self, y_true: np.ndarray, y_pred: np.ndarray) -> Tensor:
        """The counts of a batch alone, int32 `(rows, C)`; arguments as of `update_arrays`."""
        counted = ~np.isin(y_true, self.ignore_class)
        truth, predicted = (np.where(counted, ids, 0).astype("int32") for ids in (y_true, y_pred))
        return self.count(truth, predicted, counted, np)

    def scores_of(self, counts: np.ndarray) -> np.ndarray:
        """The score of each class, float64 `(..., C)`, of counts `(rows, ..., C)`; NaN for 0/0."""
        return divide(*self.ratio(np.asarray(counts, "float64"), np))


@keras.saving.register_keras_serializable(package="kseg")
class BoundaryIoU(BoundaryMetric):
    """Mean Boundary IoU: the IoU of the pixels within a distance of each mask's own contour.

    With G_d the pixels within d of the contour of the true mask G, and P_d of the predicted P,

        |(G_d and G) and (P_d and P)| / |(G_d and G) or (P_d and P)|

    for each class (Cheng et al. 2021, Boundary IoU, equation 1). As in the authors' code, the
    masks' inner bands are what d erosions by a 3x3 square take away, and the image border counts
    as contour. A border against void is no contour, and void pixels are not counted. Unlike the
    IoU, it does not fall asleep on large objects.

    Counts are summed over all images first; the paper's AP variant scores objects one by one.
    Classes with no band in truth and prediction leave the mean; a binary problem is scored by its
    foreground.

    Args:
        num_classes: Number of classes; 1 is a binary problem, of one channel and ids 0 and 1.
        distance: d: pixels where >= 1 (a whole number); below 1, a share of the image diagonal,
            rounded, and at least 1 pixel. Defaults to 0.02, as in the paper.
        ignore_class: Void class id(s) of `y_true`: int, sequence of ints, or None. Defaults to 255.
        class_names: A name for each class (two where `num_classes` is 1). Defaults to None: the
            ids as strings.
        classes: The class or classes that the result is the mean of, each by id or by name.
            Defaults to None: all.
        from_logits: Matters for one channel only: whether the threshold is 0 (logits) or 0.5
            (probabilities). Defaults to True.
        name: Defaults to `"boundary_iou"`, followed by the `classes` if given.
        dtype: Kept for Keras; the counts are int32 words and the result is float32.

    Raises:
        ValueError: On an option outside its range; `update_state` says what it raises. Labels must
            be images, (B, H, W), and a pixel of `sample_weight` 0 is void.

    Example:

    >>> metric = BoundaryIoU(2, distance=1, classes=1)
    >>> truth, predicted = np.zeros((1, 5, 7), int), np.zeros((1, 5, 7), int)
    >>> truth[0, 1:4, 1:4], predicted[0, 1:4, 1:5] = 1, 1
    >>> metric.update_state(truth, predicted)
    >>> round(float(metric.result()), 4)  # rings of 8 and 10 pixels, 7 of them shared
    0.6364
    """

    default_name = "boundary_iou"
    rows = 3  # pixels of the band in truth and prediction; in the truth; in the prediction

    def __init__(
        self,
        num_classes: int,
        distance: float = 0.02,
        *,
        ignore_class: ClassIds = 255,
        class_names: Sequence[str] | None = None,
        classes: ClassChoice = None,
        from_logits: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.distance = _distance("distance", distance)
        super().__init__(
            num_classes,
            ignore_class=ignore_class,
            class_names=class_names,
            classes=classes,
            from_logits=from_logits,
            name=name,
            dtype=dtype,
        )

    def sets(self, true, predicted, ids, xp):
        distance = contours.pixels(self.distance, ids, "round", at_least=1)
        true, predicted = (contours.inner_bands(sets, distance, xp) for sets in (true, predicted))
        return xp.bitwise_and(true, predicted), true, predicted

    def ratio(self, counts, xp=ops):
        return RATIOS["iou"](counts[0], counts[1], counts[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "distance": self.distance}


@keras.saving.register_keras_serializable(package="kseg")
class BoundaryF1(BoundaryMetric):
    """Mean boundary F1 score (BF, contour accuracy F): 2 P R / (P + R) of the contours' pixels.

    For each class, precision P is the share of the predicted contour's pixels that lie within the
    tolerance of the true contour, and recall R the share of the true contour's that lie within it
    of the predicted one. Contours and matching are those of the DAVIS benchmark (Perazzi et al.
    2016): a contour is one pixel wide, the image border is none, the distance is Euclidean.
    Csurka et al. 2013 (What is a good evaluation measure for semantic segmentation?) define the
    same score for each class of a semantic segmentation, with 0.75 % of the diagonal. Both average
    over images; here the counts are summed over the images, which for one image is the same.
    A border against void is no contour.

    Classes without a contour in truth and prediction leave the mean; one that has it in only one
    of them scores 0. A binary problem is scored by its foreground.

    Args:
        num_classes: Number of classes; 1 is a binary problem, of one channel and ids 0 and 1.
        tolerance: Pixels where >= 1 (a whole number); below 1, a share of the image diagonal,
            rounded up. Defaults to 0.008, as in DAVIS.
        ignore_class: Void class id(s) of `y_true`: int, sequence of ints, or None. Defaults to 255.
        class_names: A name for each class (two where `num_classes` is 1). Defaults to None: the
            ids as strings.
        classes: The class or classes that the result is the mean of, each by id or by name.
            Defaults to None: all.
        from_logits: Matters for one channel only: whether the threshold is 0 (logits) or 0.5
            (probabilities). Defaults to True.
        name: Defaults to `"boundary_f1"`, followed by the `classes` if given.
        dtype: Kept for Keras; the counts are int32 words and the result is float32.

    Raises:
        ValueError: On an option outside its range; `update_state` says what it raises. Labels must
            be images, (B, H, W), and a pixel of `sample_weight` 0 is void.

    Example:

    >>> metric = BoundaryF1(2, tolerance=1, classes=1)
    >>> truth, predicted = np.zeros((1, 9, 9), int), np.zeros((1, 9, 9), int)
    >>> truth[0, :, 2:], predicted[0, :, 3:] = 1, 1
    >>> metric.update_state(truth, predicted)
    >>> float(metric.result())  # straight contours, one pixel apart
    1.0
    """

    default_name = "boundary_f1"
    rows = 4  # contour pixels of the truth; those matched; of the prediction; those matched

    def __init__(
        self,
        num_classes: int,
        tolerance: float = 0.008,
        *,
        ignore_class: ClassIds = 255,
        class_names: Sequence[str] | None = None,
        classes: ClassChoice = None,
        from_logits: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self.tolerance = _distance("tolerance", tolerance)
        super().__init__(
            num_classes,
            ignore_class=ignore_class,
            class_names=class_names,
            classes=classes,
            from_logits=from_logits,
            name=name,
            dtype=dtype,
        )

    def sets(self, true, predicted, ids, xp):
        tolerance = contours.pixels(self.tolerance, ids, "ceil")
        lines = xp.concatenate([contours.contours(sets, xp) for sets in (true, predicted)], axis=-1)
        true, predicted = xp.split(lines, 2, axis=-1)
        grown = contours.grow_by_disk(lines, tolerance, xp)
        near_true, near_predicted = xp.split(grown, 2, axis=-1)
        true_matched = xp.bitwise_and(true, near_predicted)
        return true, true_matched, predicted, xp.bitwise_and(predicted, near_true)

    def ratio(self, counts, xp=ops):
        true, true_matched, predicted, predicted_matched = (counts[row] for row in range(self.rows))
        # 2 P R / (P + R) with both fractions brought to one denominator. Without a match that
        # would be 0 / 0; with one, the sum below is the larger of the two.
        below = predicted_matched * true + true_matched * predicted
        return 2 * predicted_matched * true_matched, xp.maximum(below, true + predicted)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tolerance": self.tolerance}


def _distance(name, value):
    """A distance in pixels: a whole number of them, or below 1 a share of the image's diagonal."""
    if number(name, value, above=0) >= 1 and value != int(value):
        raise refused(name, value, "whole pixels, or below 1 a share of the image's diagonal")
    return value

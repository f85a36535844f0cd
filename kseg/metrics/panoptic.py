"""Panoptic quality: how well the objects of a photo are told apart and outlined.

Kirillov et al., "Panoptic Segmentation", CVPR 2019, https://arxiv.org/abs/1801.00868. Axes: H and W
the photo, T its true segments, N the predicted ones, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kseg.metrics.base import divide
from kseg.metrics.overlaps import overlaps

IOU = 0.5  # above which two segments match


class PanopticQuality:
    """Sums up matches over photos, class by class.

    A true segment and one found match if they are of one class and their IoU is above 0.5; no
    segment then has two matches. PQ = SQ * RQ: SQ is the mean IoU of the matches, and RQ the F1
    score, TP / (TP + FP / 2 + FN / 2). Void pixels count in no segment's IoU. A segment found that
    has no match, and lies by more than half in void or in crowds of its class, is no error; nor is
    a crowd that was not found.

    Args:
        num_classes: C.

    Example:

    >>> quality, classes = PanopticQuality(2), [1]
    >>> truth, predicted = np.array([[0, 0, 0, -1]]), np.array([[0, 0, -1, -1]])
    >>> quality.update(truth, classes, predicted, classes)  # a photo; as often as there are any
    >>> quality.result()["pq"]
    array([       nan, 0.66666667])
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.sums = np.zeros((4, num_classes))

    def update(
        self,
        truth: ArrayLike,
        truth_classes: ArrayLike,
        predicted: ArrayLike,
        predicted_classes: ArrayLike,
        *,
        crowd: ArrayLike | None = None,
        void: ArrayLike | None = None,
    ) -> None:
        """Adds a photo.

        Args:
            truth, predicted: Integer `(H, W)`, the position of each pixel's segment; -1 for none.
            truth_classes, predicted_classes: Class ids `(T,)` and `(N,)`. Segments without a pixel
                count for nothing.
            crowd: bool `(T,)`, true for a region of many objects. Default: none is.
            void: bool `(H, W)`, where nothing is known. Default: nowhere.
        """
        found = overlaps(truth, truth_classes, predicted, predicted_classes, crowd=crowd, void=void)
        self.sums += panoptic_counts(found, self.num_classes)

    def result(self) -> dict[str, np.ndarray]:
        """dict of arrays `(C,)`.

        `"pq"`, `"sq"`, `"rq"`: float64; NaN for a class that is neither true nor found anywhere,
        and SQ 0 where there is no match. `"tp"`, `"fp"`, `"fn"`: int64. The official overall
        numbers are the means over the classes that are not NaN.
        """
        counts = zip(("tp", "fp", "fn"), self.sums[1:].astype(np.int64))
        return {**panoptic_scores(self.sums), **dict(counts)}


def panoptic_counts(found, num_classes):
    """Of a photo's `Overlaps` the sum of the matches' IoU, TP, FP and FN: float64 `(4, C)`."""
    true, predicted = np.nonzero(found.matches(IOU))
    classes = found.classes[0][true]
    iou = np.bincount(classes, found.iou[true, predicted], minlength=num_classes)
    return np.stack([iou, *found.counts(IOU, num_classes)])


def panoptic_scores(sums):
    """`"pq"`, `"sq"`, `"rq"`, `(..., C)`, of sums `(..., 4, C)` of `panoptic_counts`."""
    iou, tp, fp, fn = np.moveaxis(np.asarray(sums), -2, 0)
    some = tp + fp / 2 + fn / 2
    return {
        "pq": divide(iou, some),
        "sq": np.where(some > 0, iou / np.maximum(tp, 1), np.nan),
        "rq": divide(tp, some),
    }

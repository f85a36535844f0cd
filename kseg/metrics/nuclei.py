"""The average precision that nuclei and cells are scored with: TP / (TP + FN + FP) at each IoU.

Axes: N images, T IoUs, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kseg.metrics.base import divide, mean_of_defined
from kseg.metrics.overlaps import Overlaps, overlaps

IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # 0.5, 0.55, ..., 0.95


class NucleiAP:
    """Average precision as in the Data Science Bowl 2018, by StarDist and by Cellpose.

    At each IoU of 0.50, 0.55, ..., 0.95, a true object is found by one of its class with which its
    IoU is larger; of two maps of objects that do not overlap, no object then has two matches. The
    precision at that IoU is TP / (TP + FN + FP). No score of a detection is asked for, so this is
    not COCO's average precision: it is of one decision, what is found and what is not.

    Args:
        num_classes: C.

    Example:

    >>> precision, classes = NucleiAP(1), [0]
    >>> truth, predicted = np.array([[0, 0, 0, -1]]), np.array([[0, 0, -1, -1]])
    >>> precision.update(truth, classes, predicted, classes)  # an IoU of 2/3
    >>> precision.result()["nuclei_ap"], precision.result()["nuclei_ap50"]
    (array([0.4]), array([1.]))

    Source: https://www.kaggle.com/competitions/data-science-bowl-2018, evaluation; Schmidt et al.,
    "Cell Detection with Star-convex Polygons", MICCAI 2018, section 3.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.counts: list[np.ndarray] = []

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
        """Adds an image; arguments as of `PanopticQuality.update`."""
        found = overlaps(truth, truth_classes, predicted, predicted_classes, crowd=crowd, void=void)
        self.counts.append(nuclei_counts(found, self.num_classes))

    def result(self) -> dict[str, np.ndarray]:
        """dict of float64 arrays `(C,)`, NaN for a class that is neither true nor found.

        `"nuclei_ap"` is the mean over the IoUs of each image, then over the images, as in the Data
        Science Bowl; `"nuclei_ap50"` and `"nuclei_ap75"` are means over the images at one IoU, as
        Cellpose has them. An image without an object, true or found, is left out. For
        `"nuclei_ap_pooled"` the counts are summed over the images first, as StarDist does.
        """
        counts = np.array(self.counts).reshape(-1, 3, len(IOUS), self.num_classes)
        scores = nuclei_scores(counts, np.ones((1, len(counts))))
        return {name: values[0] for name, values in scores.items()}


def nuclei_counts(found: Overlaps, num_classes: int) -> np.ndarray:
    """Objects of a photo that are found, invented and missed at each IoU: int32 `(3, T, C)`."""
    counts = [found.counts(iou, num_classes) for iou in IOUS]
    return np.stack(counts, axis=1).astype(np.int32)


def nuclei_scores(counts: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """What `NucleiAP.result` gives, `(R, C)`, of images that count so often, `(R, N)`.

    Args:
        counts: Of each image, `(N, 3, T, C)`.
        weights: `(R, N)`.
    """
    right, all_ = counts[:, 0], counts.sum(1)
    each = divide(right, all_)  # (N, T, C); NaN at every IoU or at none
    there = all_[:, 0] > 0
    images = weights @ there

    def mean(values):  # (N, C), over images
        return divide(weights @ np.where(there, values, 0), images)

    pooled = divide(*(np.tensordot(weights, part.astype(float), 1) for part in (right, all_)))
    return {
        "nuclei_ap": mean(each.mean(1)),
        "nuclei_ap50": mean(each[:, 0]),
        "nuclei_ap75": mean(each[:, IOUS.index(0.75)]),
        "nuclei_ap_pooled": mean_of_defined(np.moveaxis(pooled, 1, -1)),
    }

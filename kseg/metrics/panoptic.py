"""Panoptic quality: how well the objects of a photo are told apart and outlined.

Kirillov et al., "Panoptic Segmentation", CVPR 2019, https://arxiv.org/abs/1801.00868. Axes: H and W
the photo, T its true segments, N the predicted ones, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kseg.metrics.base import divide


def flattened(masks, size, *, min_visible=0.0):
    """Masks that may overlap -> a map of what lies on top.

    Args:
        masks: Iterable of `(H, W)`, nonzero inside; earlier ones lie on top.
        size: `(H, W)`.
        min_visible: A mask of which a smaller share is still to be seen is left out. Default 0.

    Returns:
        int32 `(H, W)`, the mask's position; -1 where there is none.

    Example:

    >>> flattened([np.array([[0, 1, 0]]), np.array([[0, 1, 1]])], (1, 3))
    array([[-1,  0,  1]], dtype=int32)
    """
    top = np.full(size, -1, np.int32)
    for position, mask in enumerate(masks):
        mask = np.asarray(mask) != 0
        visible = mask & (top < 0)
        if np.count_nonzero(visible) >= min_visible * np.count_nonzero(mask):
            top[visible] = position
    return top


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
        self.iou = np.zeros(num_classes)
        self.counts = {name: np.zeros(num_classes, np.int64) for name in ("tp", "fp", "fn")}

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
        truth_classes, predicted_classes = (
            np.asarray(classes, np.int64) for classes in (truth_classes, predicted_classes)
        )
        crowd = np.zeros(len(truth_classes), bool) if crowd is None else np.asarray(crowd, bool)
        void = np.zeros(np.shape(truth), bool) if void is None else np.asarray(void, bool)

        # pixels of each pair of segments: rows are -1 (none), the true ones, void
        shape = len(truth_classes) + 2, len(predicted_classes) + 1
        row = np.where(void, shape[0] - 1, np.asarray(truth) + 1)
        pairs = np.bincount(
            np.ravel(row * shape[1] + np.asarray(predicted) + 1), minlength=shape[0] * shape[1]
        ).reshape(shape)
        shared = pairs[1:-1, 1:]  # (T, N)
        true_area, predicted_area, in_void = pairs[1:-1].sum(1), pairs[:, 1:].sum(0), pairs[-1, 1:]
        union = true_area[:, None] + (predicted_area - in_void) - shared
        iou = divide(shared, union)  # NaN for two without a pixel
        same = truth_classes[:, None] == predicted_classes
        match = (iou > 0.5) & same & ~crowd[:, None]

        excused = in_void + (shared * (same & crowd[:, None])).sum(0)
        wrong = ~match.any(0) & (predicted_area > 0) & (excused <= 0.5 * predicted_area)
        missed = ~match.any(1) & (true_area > 0) & ~crowd
        true, _ = np.nonzero(match)
        np.add.at(self.iou, truth_classes[true], iou[match])
        for name, classes in (
            ("tp", truth_classes[true]),
            ("fp", predicted_classes[wrong]),
            ("fn", truth_classes[missed]),
        ):
            np.add.at(self.counts[name], classes, 1)

    def result(self) -> dict[str, np.ndarray]:
        """dict of arrays `(C,)`.

        `"pq"`, `"sq"`, `"rq"`: float64; NaN for a class that is neither true nor found anywhere,
        and SQ 0 where there is no match. `"tp"`, `"fp"`, `"fn"`: int64. The official overall
        numbers are the means over the classes that are not NaN.
        """
        tp, fp, fn = self.counts.values()
        some = tp + fp / 2 + fn / 2
        rq = divide(tp, some)
        sq = np.where(some > 0, self.iou / np.maximum(tp, 1), np.nan)
        return {
            "pq": divide(self.iou, some),
            "sq": sq,
            "rq": rq,
            **{name: count.copy() for name, count in self.counts.items()},
        }

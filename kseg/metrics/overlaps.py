"""The segments of a photo, true ones and found ones, and how they overlap.

Axes: H and W the photo, T its true segments, N the predicted ones.
"""

from __future__ import annotations

import dataclasses

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


@dataclasses.dataclass(frozen=True)
class Overlaps:
    """What is counted of the segments of a photo.

    Args:
        iou: float64 `(T, N)`, without the pixels of void; NaN for two without a pixel.
        classes: Class ids `(T,)` and `(N,)`.
        true: bool `(T,)`, segments to be found: those with pixels that are no crowds.
        found: bool `(N,)`, segments with pixels.
        excused: bool `(N,)`, those that lie by more than half in void or in crowds of their class,
            and are no error where they match nothing.
    """

    iou: np.ndarray
    classes: tuple[np.ndarray, np.ndarray]
    true: np.ndarray
    found: np.ndarray
    excused: np.ndarray

    @property
    def same(self) -> np.ndarray:
        """Whether a true segment and one found are of one class: bool `(T, N)`."""
        return self.classes[0][:, None] == self.classes[1]

    def matches(self, iou: float, *, any_class: bool = False) -> np.ndarray:
        """Which true segment is found by which, bool `(T, N)`: an IoU above this, 0.5 at least.

        No segment then has two matches: segments do not overlap.
        """
        with np.errstate(invalid="ignore"):
            match = (self.iou > iou) & self.true[:, None]
        return match if any_class else match & self.same

    def counts(self, iou: float, num_classes: int) -> np.ndarray:
        """Segments of each class that are found, invented and missed: int64 `(3, C)`."""
        match = self.matches(iou)
        of_true, of_found = self.classes
        chosen = (
            of_true[match.any(1)],
            of_found[~match.any(0) & self.found & ~self.excused],
            of_true[~match.any(1) & self.true],
        )
        return np.array([np.bincount(classes, minlength=num_classes) for classes in chosen])


def overlaps(
    truth: ArrayLike,
    truth_classes: ArrayLike,
    predicted: ArrayLike,
    predicted_classes: ArrayLike,
    *,
    crowd: ArrayLike | None = None,
    void: ArrayLike | None = None,
) -> Overlaps:
    """The `Overlaps` of a photo; arguments as of `PanopticQuality.update`."""
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
    same = truth_classes[:, None] == predicted_classes
    excused = in_void + (shared * (same & crowd[:, None])).sum(0)
    return Overlaps(
        iou=divide(shared, union),
        classes=(truth_classes, predicted_classes),
        true=(true_area > 0) & ~crowd,
        found=predicted_area > 0,
        excused=excused > 0.5 * predicted_area,
    )

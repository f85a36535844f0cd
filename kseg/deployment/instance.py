"""What a comparison asks of models that find objects: how many objects have no counterpart."""

import numpy as np

OPTIONS = {"min_score": 0.5, "threshold": 0.5}
HELD_BY = ("saved_model",)  # formats that can hold such a model
WHY_NOT = (
    "the suppression of overlapping boxes and the conditions in its mask head have no counterpart "
    "in this format's converter"
)
UNIT = "objects"  # what is compared one by one

TOLERANCE = 0.05  # share of objects: whose score or overlap is near a threshold falls either way
MIN_IOU = 0.95  # from which on two masks are one object


def tolerance(model, precision):
    """Share of objects that may differ."""
    return TOLERANCE


def is_labelled(model, source):
    """Whether a source's labels can be scored against: objects are compared one by one alone."""
    return False


def differing(expected, actual):
    """Share of objects, of both sides, that have no counterpart of their class on the other.

    Two objects are counterparts if the intersection over union of their masks is at least 0.95.

    Args:
        expected, actual: Lists of the `Instances` of photos.
    """
    alone = total = 0
    for a, b in zip(expected, actual):
        same = np.zeros((len(a), len(b)), bool)
        near = (a.classes[:, None] == b.classes) & _meet(a.boxes, b.boxes)
        for i in np.flatnonzero(near.any(axis=1)):
            mask = a.each_mask()[i]
            for j in np.flatnonzero(near[i]):
                other = b.each_mask()[j]
                union = np.count_nonzero(mask | other)
                same[i, j] = np.count_nonzero(mask & other) >= MIN_IOU * union
        alone += np.count_nonzero(~same.any(axis=1)) + np.count_nonzero(~same.any(axis=0))
        total += len(a) + len(b)
    return float(alone / max(total, 1))


def _meet(a, b):
    """Which boxes `(N, 4)` have a part in common with which `(M, 4)`, or touch: bool `(N, M)`."""
    a = a[:, None]
    return (np.maximum(a[..., :2], b[:, :2]) <= np.minimum(a[..., 2:], b[:, 2:])).all(axis=-1)


def mean_iou(model, results, labels, void):
    """NaN: it is a score of pixels."""
    return float("nan")

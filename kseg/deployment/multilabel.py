"""What a comparison asks of models of several classes a pixel: the share of labels that differ."""

import numpy as np

from kseg.base.arguments import threshold as checked_threshold
from kseg.deployment.formats import FORMATS
from kseg.deployment.semantic import is_labelled, tolerance  # noqa: F401 (part of the room)

OPTIONS = {"threshold": 0.5}  # what an artefact is told, and who loads it decides by
HELD_BY = tuple(FORMATS)  # formats that can hold such a model
WHY_NOT = ""  # not the others
UNIT = "labels"  # what is compared one by one: of each pixel and class


def decide(logits, *, threshold=0.5):
    """bool `(..., C)` of an artefact's logits.

    Args:
        logits: float32 `(..., C)`.
        threshold: As of `kseg.predict`.
    """
    from keras import ops

    from kseg.ops.decisions import above

    threshold = checked_threshold("threshold", threshold, logits.shape[-1])
    return ops.convert_to_numpy(above(ops.sigmoid(logits), threshold))


def differing(expected, actual):
    """Share of labels that differ, of two lists of bool `(H, W, C)`."""
    unequal = sum(int((a != b).sum()) for a, b in zip(expected, actual))
    return unequal / sum(a.size for a in expected)


def mean_iou(model, results, labels, void):
    """Mean IoU of bool `(H, W, C)` on the photos that have labels; NaN if none has."""
    from kseg.metrics.confusion import multilabel_counts, scores

    pairs = [(label, result) for label, result in zip(labels, results) if label is not None]
    if not pairs:
        return float("nan")
    counts = np.sum([multilabel_counts(*pair, ignore_class=void) for pair in pairs], axis=0)
    return float(scores(counts)["mean_iou"])

"""What a comparison asks of models that label pixels: how many pixels differ, and the mean IoU."""

import numpy as np

from kseg.deployment.formats import FORMATS
from kseg.models.contract import check_source, contract, task_of

OPTIONS = {}
HELD_BY = tuple(FORMATS)  # formats that can hold such a model
WHY_NOT = ""  # not the others
UNIT = "pixels"  # what is compared one by one

# Share of pixels that may come out otherwise, in rising order of their roundings.
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "int8": 0.1}


def tolerance(model, precision):
    """Share of pixels that may differ: near ties fall either way, the more the fewer the bits."""
    from kseg.models.precision import computes_in

    return max(TOLERANCES[precision], TOLERANCES[computes_in(model)])


def is_labelled(model, source):
    """Whether a source's labels can be scored against.

    Raises:
        ValueError: they are of other classes than the model's.
    """
    if source is None or task_of(source) != task_of(model):
        return False
    check_source(model, source)
    return True


def decide(logits):
    """Class ids, int32 `(...)`, of an artefact's logits `(..., C)`."""
    from keras import ops

    from kseg.ops.decisions import winners

    return ops.convert_to_numpy(winners(logits)).astype(np.int32, copy=False)


def differing(expected, actual):
    """Share of pixels with another class, of two lists of class ids `(H, W)`."""
    unequal = sum(int((a != b).sum()) for a, b in zip(expected, actual))
    return unequal / sum(a.size for a in expected)


def mean_iou(model, results, labels, void):
    """Mean IoU of class ids `(H, W)` on the photos that have labels; NaN if none has."""
    from kseg.metrics.confusion import confusion_matrix, scores

    num_classes = contract(model).num_classes
    confusion = np.zeros((num_classes, num_classes), np.int64)
    for ids, label in zip(results, labels):
        if label is not None:
            confusion += confusion_matrix(label[None], ids[None], num_classes, ignore_class=void)
    return float(scores(confusion)["mean_iou"]) if confusion.any() else float("nan")

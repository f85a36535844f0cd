"""Several classes a pixel against their truth: of each class the counts of a binary problem.

Axes: B photos of one size, H and W a photo, C classes.
"""

import numpy as np

from kseg.base.arguments import refused
from kseg.base.arguments import threshold as checked_threshold
from kseg.evaluation.batches import samples_for
from kseg.evaluation.semantic import how_seen, same_sized, seen_as
from kseg.evaluation.table import Table
from kseg.evaluation.tally import LabelTally
from kseg.models.contract import scored_contract
from kseg.prediction.batching import filled
from kseg.prediction.multilabel import labels_on_batch
from kseg.prediction.predictor import ExportPredictor
from kseg.prediction.semantic import viewed

OPTIONS = {"resize": None, "tile": None, "tta": None, "threshold": None}
THRESHOLD = 0.5  # of a model; an export goes by what it was told
BATCH_SIZE = 8
SCORE_NAME = "mean IoU"
PER_CLASS = ("iou", "dice", "accuracy", "precision", "pixels")
COLUMNS = {"iou": "IoU", "dice": "Dice", "accuracy": "recall", "precision": "precision"}


def evaluate(model, source, *, batch_size, progress, resize, tile, tta, threshold):
    """`kseg.evaluate` of a model of several classes a pixel; see there."""
    from kseg.metrics.confusion import multilabel_counts, parts, scores

    classes = scored_contract(model).num_classes
    threshold = threshold_of(model, threshold)
    *how, views = how_seen(model, resize, tile, tta)
    counts = np.zeros((classes, 2, 2), np.int64)

    def report():
        return {"images": len(tally), **_report(source, counts, scores(counts))}

    tally = LabelTally(source.class_names, [], report, "labels", counts)
    for positions, images, labels in same_sized(samples_for(model, source), batch_size):
        if isinstance(model, ExportPredictor):
            predicted = np.stack(model.predict(list(images), threshold=threshold))
        elif views is not None:
            predicted = viewed(model, images, views, *how) > np.float32(threshold)
        else:
            predicted = labels_on_batch(model, filled(images, batch_size), threshold, *how)
        for position, *pair in zip(positions, labels, predicted):
            own = multilabel_counts(*pair, source.void)
            right = own[:, 0, 0].sum() + own[:, 1, 1].sum()
            tally.add(position, parts(own, np), right, own.sum())
            counts += own
        if progress:
            progress(len(tally))
    return tally


def threshold_of(model, threshold):
    """The probability above which a pixel has a class: as given, or as an export was told."""
    if threshold is None:
        threshold = getattr(model, "told", {}).get("threshold", THRESHOLD)
    return checked_threshold("threshold", threshold, scored_contract(model).num_classes)


def rules(model, source, chosen):
    """What scores depend on beside the model and the data: for the protocol."""
    return {
        **seen_as(model, chosen),
        "threshold": threshold_of(model, chosen["threshold"]),
        "void": source.void,
        "counted": "all labels that are not void, together",
    }


def _report(source, counts, values):
    """The scores of counts `(C, 2, 2)`, over all classes and by class."""
    return {
        "labels": int(counts.sum()),
        **{name: float(value) for name, value in values.items() if name not in PER_CLASS},
        "classes": {
            class_name: {name: values[name][i].item() for name in PER_CLASS}
            for i, class_name in enumerate(source.class_names)
        },
        "confusion": counts.tolist(),
    }


def labels_of(labels, images, void):
    """Labels of a batch `(B, H, W, C)` as samples have them, or `ValueError`.

    Args:
        labels: Array of a data set of batches.
        images: Their images, `(B, H, W, channels)`.
        void: Value of what is not scored.
    """
    if labels.ndim != 4 or labels.shape[:3] != images.shape[:3]:
        expected = f"{images.shape[:3]} and an axis of classes, as of the images"
        raise refused("shape of the labels in source", labels.shape, expected)
    return labels


def tables(source, scores):
    """The scores as a list of `Table`."""
    rows = [
        (name, *(f"{row[key]:.3f}" for key in COLUMNS), f"{row['pixels']:,}")
        for name, row in scores["classes"].items()
    ]
    means = (f"{_mean(scores, key):.3f}" for key in COLUMNS)
    title = f"{source.name}: {scores['images']} images, {scores['labels']:,} labels of pixels"
    pixels = sum(row["pixels"] for row in scores["classes"].values())
    total = ("mean", *means, f"{pixels:,}")
    return [Table(("class", *COLUMNS.values(), "pixels"), rows, total, title)]


def _mean(scores, key):
    defined = [row[key] for row in scores["classes"].values() if not np.isnan(row[key])]
    return scores.get(f"mean_{key}", np.mean(defined) if defined else np.nan)


def notes(scores):
    """What is to be said beside the tables, line by line."""
    return [f"{scores['pixel_accuracy']:.1%} of the labels, each of a pixel and a class, are right"]

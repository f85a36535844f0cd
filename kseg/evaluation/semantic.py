"""Labels against their truth: one confusion matrix, and what follows from it.

Axes: B photos of one size, H and W a photo, C classes.
"""

import numpy as np

from kseg.base.arguments import refused
from kseg.evaluation.batches import samples_for
from kseg.evaluation.columns import BoundaryColumns, CalibrationColumns, SurfaceColumns
from kseg.evaluation.table import Table, most_confused
from kseg.evaluation.tally import LabelTally
from kseg.models.contract import fixed_size, scored_contract
from kseg.prediction.batching import alike, filled
from kseg.prediction.memory import memory
from kseg.prediction.predictor import ExportPredictor
from kseg.prediction.semantic import (
    checked,
    checked_views,
    confident_labels_on_batch,
    labels_on_batch,
    viewed,
)

OPTIONS = {
    "resize": None,
    "tile": None,
    "tta": None,
    "boundary": False,
    "surface": False,
    "calibration": False,
}
BATCH_SIZE = 8
HELD = 64  # photos of other sizes that wait for their batch to be full
SCORE_NAME = "mean IoU"
PER_CLASS = ("iou", "dice", "accuracy", "precision", "pixels")

# Key of a class' score -> heading and format; `mean_` and the key is its mean.
COLUMNS = {
    "iou": ("IoU", ".3f"),
    "dice": ("Dice", ".3f"),
    "accuracy": ("accuracy", ".3f"),
    "boundary_iou": ("boundary IoU", ".3f"),
    "boundary_f1": ("boundary F1", ".3f"),
    "hd95": ("HD95", ".2f"),
    "asd": ("ASD", ".2f"),
}


def evaluate(
    model,
    source,
    *,
    batch_size,
    progress,
    resize,
    tile,
    tta,
    boundary,
    surface,
    calibration,
):
    """`kseg.evaluate` of a model that labels pixels; see there."""
    from kseg.metrics.confusion import confusion_matrix, parts, scores

    classes = scored_contract(model).num_classes
    confusion = np.zeros((classes, classes), np.int64)
    wanted = {BoundaryColumns: boundary, SurfaceColumns: surface, CalibrationColumns: calibration}
    columns = [kind(source, classes) for kind in wanted if wanted[kind]]
    seen = how_seen(model, resize, tile, tta)

    def report():
        return {"images": len(tally), **_report(source, confusion, scores(confusion))}

    tally = LabelTally(source.class_names, columns, report, "pixels", confusion)
    for positions, images, labels in same_sized(samples_for(model, source), batch_size):
        predicted, confidence = predicted_labels(model, images, batch_size, calibration, seen)
        for position, *pair in zip(positions, labels, predicted):
            counts = confusion_matrix(*pair, classes, ignore_class=source.void)
            tally.add(position, parts(counts, np), np.trace(counts), counts.sum())
            confusion += counts
        for column in columns:
            column.update(labels, predicted, confidence)
        if progress:
            progress(len(tally))
    return tally


def _report(source, confusion, values):
    """The scores of a confusion matrix `(C, C)`, over all classes and by class."""
    return {
        "pixels": int(confusion.sum()),
        **{name: float(value) for name, value in values.items() if name not in PER_CLASS},
        "classes": {
            class_name: {name: values[name][i].item() for name in PER_CLASS}
            for i, class_name in enumerate(source.class_names)
        },
        "confusion": confusion.tolist(),
    }


def same_sized(samples, batch_size):
    """Batches of photos `(B, H, W, channels)` of one size, after their positions, with labels."""
    each = ((index, sample["image"], sample["label"]) for index, sample in enumerate(samples))
    for batch in alike(each, lambda one: one[1].shape, batch_size, HELD):
        positions, *arrays = zip(*batch)
        yield positions, *map(_stacked, arrays)


def _stacked(arrays):
    """Arrays of one shape as a batch; one alone, which may be all that fits, is not copied."""
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)


def how_seen(model, resize, tile, tta):
    """`resize`, `tile` and the views of `tta` as they are looked through; an export has its own.

    The views are None where a photo is seen as it is alone.
    """
    if not isinstance(model, ExportPredictor):
        views = None if tta is None else checked_views(model, tta)
        return checked(model, resize, tile), tile, views
    for name, value in (("resize", resize), ("tile", tile), ("tta", tta)):
        if value is not None:
            remedy = "Export the model anew with it, or score the model itself."
            if name == "tta":
                remedy = "Score the model itself."
            raise refused(name, value, "None for an export, which has its own", remedy)
    return None, None, None


def predicted_labels(model, images, batch_size, with_confidence, seen=(None, None, None)):
    """Ids of the images, and their confidence, or None where it is not asked for."""
    if isinstance(model, ExportPredictor):
        return model.labels(images)
    *how, views = seen
    if views is not None:
        found = viewed(model, images, views, *how)
        labels = found.argmax(axis=-1).astype(np.int32)
        return labels, found.max(axis=-1) if with_confidence else None
    count, images = len(images), filled(images, batch_size)
    if not with_confidence:
        return labels_on_batch(model, images, *how)[:count], None
    labels, confidence = confident_labels_on_batch(model, images, *how)
    return labels[:count], confidence[:count]


def rules(model, source, chosen):
    """What scores depend on beside the model and the data: for the protocol."""
    from kseg.metrics import BoundaryF1, BoundaryIoU

    told = {}
    if chosen["boundary"]:
        two = (metric(2) for metric in (BoundaryIoU, BoundaryF1))
        of_iou, of_f1 = (metric.get_config() for metric in two)
        told["boundary"] = {
            "IoU within": f"{of_iou['distance']} of the diagonal",
            "F1 within": f"{of_f1['tolerance']} of the diagonal",
        }
    if chosen["surface"]:
        told["surface"] = "pixels, means over images"
    counted = "all pixels that are not void, together"
    return {**seen_as(model, chosen), "void": source.void, "counted": counted, **told}


def seen_as(model, chosen):
    """The size at which photos go into a network that labels pixels, and in what tiles."""
    if isinstance(model, ExportPredictor):
        return {"size": "as the export says", "tile": "as the export says"}
    resize, tile, fixed = chosen["resize"], chosen["tile"], fixed_size(model)
    size = "each photo at its own"
    if resize is not None:
        size = f"shortest side {resize[0]}, longest at most {resize[1]}"
    if any(fixed):
        size = f"each photo resized to {' x '.join(str(side or 'its own') for side in fixed)}"
    of_memory = f"where a photo needs more than {memory() >> 20} MiB"
    return {"size": size, "tile": of_memory if tile is None else tile}


def labels_of(labels, images, void):
    """Labels of a batch of a data set, ids or one-hot, as ids `(B, H, W)`, or `ValueError`.

    Args:
        labels: Array `(B, H, W)`, `(B, H, W, 1)` or `(B, H, W, C)`.
        images: Their images, `(B, H, W, channels)`.
        void: The id of one-hot labels that are all zero.
    """
    if labels.ndim == 4:
        labels = labels[..., 0] if labels.shape[-1] == 1 else _ids(labels, void)
    if labels.shape != images.shape[:3]:
        expected = f"{images.shape[:3]} or with an axis of classes, as of the images"
        raise refused("shape of the labels in source", labels.shape, expected)
    return labels


def _ids(one_hot, void):
    """One-hot labels `(B, H, W, C)` -> class ids `(B, H, W)`, `void` where there is none."""
    return np.where(one_hot.any(axis=-1), one_hot.argmax(axis=-1), void)


def tables(source, scores):
    """The scores as a list of `Table`."""
    columns = {key: column for key, column in COLUMNS.items() if f"mean_{key}" in scores}
    rows = []
    for name, row in scores["classes"].items():
        numbers = (format(row[key], form) for key, (_, form) in columns.items())
        rows.append((name, *numbers, f"{row['pixels']:,}"))
    means = (format(scores[f"mean_{key}"], form) for key, (_, form) in columns.items())
    headings = ("class", *(heading for heading, _ in columns.values()), "pixels")
    title = f"{source.name}: {scores['images']} images, {scores['pixels']:,} labelled pixels"
    return [Table(headings, rows, ("mean", *means, f"{scores['pixels']:,}"), title)]


def notes(scores):
    """What is to be said beside the tables, line by line."""
    lines = [f"pixel accuracy {scores['pixel_accuracy']:.3f}"]
    if confused := most_confused(scores, "pixels"):
        lines.append(confused)
    if "mean_hd95" in scores:
        missed = sum(row["surface_missed"] for row in scores["classes"].values())
        images = sum(row["surface_images"] for row in scores["classes"].values())
        lines.append(
            f"distances in pixels; in {missed} of {images} cases the class was only in the truth "
            "or only predicted, which counts as the image diagonal"
        )
    if "calibration_error" in scores:
        lines.append(f"calibration error {scores['calibration_error']:.3f}")
    return lines

"""An exported artefact against the model it came from: the same photos, what differs, how fast.

An export is not believed: it is run in its own runtime before it gets its name.
"""

import dataclasses
import time
from pathlib import Path

import numpy as np

from kseg.models.contract import is_instance
from kseg.ops.resize import bilinear

MIN_IOU = 0.95  # from which on two masks are one object, in `differing_objects`


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: the Keras model, or the artefact.

    Args:
        name: What was run.
        megabytes: Size of its files.
        milliseconds: Median time of a photo, after a first call.
        mean_iou: On the labelled photos; NaN if there are none.
    """

    name: str
    megabytes: float
    milliseconds: float
    mean_iou: float


@dataclasses.dataclass(frozen=True)
class Rescored:
    """What came of running model and artefact side by side.

    Args:
        model, artefact: The two `Row`s.
        differing: Share of pixels with another class, or of objects without a counterpart.
        photos: What was looked at, in words.
        of_objects: Whether objects were compared, not pixels.
    """

    model: Row
    artefact: Row
    differing: float
    photos: str
    of_objects: bool


@dataclasses.dataclass(frozen=True)
class Exported:
    """What `export` wrote, and how it compares with the model.

    Args:
        path: The artefact: a file, or the folder of a version.
        format: One of `FORMATS`.
        rescored: `Rescored`.
    """

    path: Path
    format: str
    rescored: Rescored


def compare(
    of_model,
    of_artefact,
    *,
    model,
    artefact,
    folder,
    source,
    count,
    shape,
    tolerance,
    max_drop,
):
    """Runs both on the same photos.

    Args:
        of_model, of_artefact: Functions of a photo to class ids `(H, W)`, or to `Instances`.
        model: The Keras model.
        artefact: What to call the artefact.
        folder: Where its files are, and nothing else.
        source, count, shape: As of `photos_of`.
        tolerance: Share of pixels or objects that may differ.
        max_drop: By how much the mean IoU may fall.

    Returns:
        `Rescored`.

    Raises:
        ValueError: they differ by more than that.
    """
    import keras

    pairs, photos, void = photos_of(model, source, count, shape)
    of_objects = is_instance(model)
    classes = None if of_objects else max(2, model.outputs[0].shape[-1])
    backend = keras.backend.backend()
    runs = []
    for name, function, size in (
        (f"model on {backend}", of_model, sum(int(np.prod(w.shape)) * 4 for w in model.weights)),
        (artefact, of_artefact, _size(folder)),
    ):
        results, milliseconds = _timed(function, pairs)
        iou = float("nan") if of_objects else _mean_iou(results, pairs, classes, void)
        runs.append((results, Row(name, size / 1e6, milliseconds, iou)))
    (expected, before), (found, after) = runs
    differing = (differing_objects if of_objects else differing_pixels)(expected, found)
    if differing > tolerance or before.mean_iou - after.mean_iou > max_drop:
        raise ValueError(
            f"the {artefact} does not do what the model does: {differing:.3%} of its "
            f"{'objects' if of_objects else 'pixels'} differ (tolerance={tolerance:g}), and its "
            f"mean IoU is {after.mean_iou:.4f} in place of {before.mean_iou:.4f} "
            f"(max_drop={max_drop:g}), on {photos}. Nothing was written. Give a higher precision, "
            "photos of the model's own kind (source=), or a larger tolerance."
        )
    return Rescored(before, after, differing, photos, of_objects)


def photos_of(model, source, count, shape=(None, None)):
    """Photos and labels, evenly spread over a source.

    Args:
        model: The Keras model, of which they get the number of channels.
        source: A `Source`; None for generated scenes, which have no labels then.
        count: How many.
        shape: `(height, width)` to which they are resized; None is a photo's own.

    Returns:
        List of pairs of uint8 `(H, W, C)` and class ids `(H, W)`, or None where there are none;
        what they are, in words; and the label id that is not scored.
    """
    from kseg.data import shapes
    from kseg.data.source import spread
    from kseg.models.contract import check_classes

    channels = 3 if is_instance(model) else model.inputs[0].shape[-1]
    labelled = source is not None and source.task == "semantic" and not is_instance(model)
    if labelled:
        check_classes(model, source)
    source = source or shapes("val")
    pairs = []
    for index in spread(len(source), count):
        sample = source[index]
        image, label = sample["image"], sample["label"] if labelled else None
        size = tuple(given or own for given, own in zip(shape, image.shape))
        image = np.round(bilinear(image, *size)).astype(np.uint8)
        if channels != 3:
            grey = np.round(image @ np.array([0.299, 0.587, 0.114]))  # luma of BT.601
            image = np.repeat(grey[:, :, None].astype(np.uint8), channels, axis=2)
        pairs.append((image, label if label is None else _nearest(label, size)))
    return pairs, f"{len(pairs)} photos of {source.name}", source.void


def print_table(rescored, path, console=None):
    """Prints what was measured: a line for the model, one for the artefact."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=rescored.photos, box=box.SIMPLE_HEAD)
    for heading in ("", "MB", "ms a photo", "mean IoU"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for row in (rescored.model, rescored.artefact):
        iou = "" if np.isnan(row.mean_iou) else f"{row.mean_iou:.4f}"
        table.add_row(row.name, f"{row.megabytes:.1f}", f"{row.milliseconds:.0f}", iou)
    console = console or Console()
    console.print(table)
    what = "objects" if rescored.of_objects else "pixels"
    console.print(
        f"{rescored.differing:.4%} of the {what} come out otherwise; {path}", highlight=False
    )


def _timed(function, pairs):
    """Results of all photos, and the median of milliseconds."""
    results, times = [], []
    for image, _ in pairs:
        function(image)  # a shape's first call may compile
        start = time.perf_counter()
        results.append(function(image))
        times.append(time.perf_counter() - start)
    return results, 1000 * float(np.median(times))


def _mean_iou(results, pairs, num_classes, void):
    from kseg.metrics.confusion import confusion_matrix, scores

    confusion = np.zeros((num_classes, num_classes), np.int64)
    for ids, (_, label) in zip(results, pairs):
        if label is not None:
            confusion += confusion_matrix(label[None], ids[None], num_classes, ignore_class=void)
    return float(scores(confusion)["mean_iou"]) if confusion.any() else float("nan")


def _nearest(label, size):
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, label.shape)
    )
    return label[rows][:, columns]


def _size(folder):
    return sum(each.stat().st_size for each in Path(folder).rglob("*") if each.is_file())


def differing_pixels(expected, found):
    """Share of pixels with another class."""
    differing = sum(int((a != b).sum()) for a, b in zip(expected, found))
    return differing / sum(a.size for a in expected)


def differing_objects(expected, found):
    """Share of objects, of both sides, that have no counterpart of their class on the other.

    Two objects are counterparts if the intersection over union of their masks is at least 0.95.
    """
    alone = total = 0
    for a, b in zip(expected, found):
        same = np.zeros((len(a), len(b)), bool)
        for i, j in np.ndindex(*same.shape):
            if a.classes[i] == b.classes[j]:
                union = np.count_nonzero(a.masks[i] | b.masks[j])
                both = np.count_nonzero(a.masks[i] & b.masks[j])
                same[i, j] = both >= MIN_IOU * union
        alone += np.count_nonzero(~same.any(axis=1)) + np.count_nonzero(~same.any(axis=0))
        total += len(a) + len(b)
    return float(alone / max(total, 1))

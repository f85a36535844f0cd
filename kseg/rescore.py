"""An exported artefact against the model it came from: the same photos, what differs, how fast.

An export is not believed: it is run in its own runtime before it gets its name.
"""

import dataclasses
import time

import numpy as np

from kseg.paste import bilinear

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


def samples_of(source, count, shape=(None, None)):
    """Photos and labels, evenly spread over a source.

    Args:
        source: A `Source`.
        count: How many.
        shape: `(height, width)` to which they are resized; None is a sample's own.

    Returns:
        List of pairs of uint8 `(H, W, 3)` and class ids `(H, W)`, or None for objects.
    """
    from kseg.report import spread

    found = []
    for index in spread(len(source), count):
        sample = source[index]
        image, label = sample["image"], sample.get("label")
        size = tuple(given or own for given, own in zip(shape, image.shape))
        if size != image.shape[:2]:
            image = np.round(bilinear(image, *size)).astype(np.uint8)
            if label is not None:
                rows, columns = (
                    ((np.arange(new) + 0.5) * old / new).astype(int)
                    for new, old in zip(size, label.shape)
                )
                label = label[rows][:, columns]
        found.append((image, label))
    return found


def rescore(model, artefact, samples, *, names, sizes, photos, num_classes, void=255):
    """Runs both on the same photos.

    Args:
        model, artefact: Functions of a photo to class ids `(H, W)`, or to `Instances`.
        samples: List of pairs, as `samples_of` gives them.
        names, sizes: Of the two: what they are called, and how many bytes they take.
        photos: The samples in words.
        num_classes: How many there are, at least two.
        void: Label id that is not scored.

    Returns:
        `Rescored`.
    """
    from kseg.metrics.confusion import confusion_matrix, scores

    times, ious, results = [], [], []
    for function in (model, artefact):
        confusion = 0
        taken, outputs = [], []
        for image, label in samples:
            function(image)  # a shape's first call may compile
            start = time.perf_counter()
            outputs.append(function(image))
            taken.append(time.perf_counter() - start)
            if label is not None:
                confusion = confusion + confusion_matrix(
                    label[None], outputs[-1][None], num_classes, ignore_class=void
                )
        times.append(1000 * float(np.median(taken)))
        scored = isinstance(confusion, np.ndarray) and confusion.any()
        ious.append(scores(confusion)["mean_iou"] if scored else float("nan"))
        results.append(outputs)
    rows = [Row(*row) for row in zip(names, [size / 1e6 for size in sizes], times, ious)]
    of_objects = not isinstance(results[0][0], np.ndarray)
    compare = differing_objects if of_objects else differing_pixels
    return Rescored(*rows, compare(*results), photos, of_objects)


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
    return alone / max(total, 1)

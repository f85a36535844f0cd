"""What a page shows of a source of objects: each in its colour, and how many of each class.

Layers are uint8 `(h, w, 4)`, RGB and opacity, of the `size` `(h, w)` that is asked for.
"""

import numpy as np

from kseg.base.colors import object_colors
from kseg.pictures.image import outline, shrunk
from kseg.reports.entry import Entry, class_name

OPTIONS = {}
COUNTED = True  # whether a caption says more than the legend does beside a score
LAYERS = (
    ("photo", "Photo"),
    ("truth", "Truth"),
    ("prediction", "Prediction"),
    ("error", "Error"),
)
SURE = 0.5  # score from which on a detection is shown
MISSED, EXTRA, FOUND = (220, 50, 47), (240, 150, 20), (60, 170, 100)
ERRORS = (
    Entry("missed", (MISSED,)),
    Entry("found where there is none", (EXTRA,)),
    Entry("found, mask IoU 0.5 and above", (FOUND,)),
)


def truth(source, sample, size):
    """The objects of a sample as a layer, crowds in grey."""
    return objects(sample["masks"], object_colors(sample["crowd"]), size)


def prediction(source, sample, predicted, size):
    """Detections, `Instances`, as a layer: those of a score of at least 0.5."""
    sure = [mask for mask, s in zip(predicted.each_mask(), predicted.scores) if s >= SURE]
    return objects(sure, object_colors(np.zeros(len(sure), bool)), size)


def error(source, sample, predicted, size):
    """Objects that were missed, detections of none, and the outlines of those that were found."""
    from kseg.reports.seen.instance import matched

    sure = predicted.scores >= SURE
    masks = [mask for mask, kept in zip(predicted.each_mask(), sure) if kept]
    pairs, missed, extra = matched(sample, masks)
    of_truth = [sample["masks"][i] for i in missed]
    found = objects([masks[j] for _, j in pairs], [FOUND] * len(pairs), size, fill=0)
    wrong = objects(
        [*of_truth, *(masks[j] for j in extra)],
        [MISSED] * len(missed) + [EXTRA] * len(extra),
        size,
        fill=200,
    )
    return np.where(wrong[..., 3:] > 0, wrong, found)


def objects(masks, colors, size, fill=130):
    """Masks, each in its colour with an outline, the small ones on top.

    Args:
        masks: N masks `(H, W)`, zero outside.
        colors: RGB of each.
        size: `(h, w)` of the layer.
        fill: Opacity within the outline, 0..255.
    """
    picture = np.zeros((*size, 4), np.uint8)
    small = [shrunk(np.asarray(mask) != 0, size) for mask in masks]
    for index in sorted(range(len(small)), key=lambda i: -np.count_nonzero(small[i])):
        mask, color = small[index], colors[index]
        picture[mask] = (*color, fill)
        picture[outline(mask)] = (*color, 255)
    return picture


def caption(source, sample):
    """How many objects of each class, after their colours, most first: a list of `Entry`."""
    colors_of = {}  # name of a class -> colours of its objects
    for class_id, crowd, color in zip(
        sample["classes"], sample["crowd"], object_colors(sample["crowd"])
    ):
        name = class_name(source, class_id) + (" (crowd)" if crowd else "")
        colors_of.setdefault(name, []).append(color)
    most_first = sorted(colors_of.items(), key=lambda each: -len(each[1]))
    entries = [Entry(f"{name}: {len(colors)}", tuple(colors)) for name, colors in most_first]
    return entries or [Entry("no object")]


def class_ids(sample):
    """The set of class ids in a sample."""
    return set(sample["classes"].tolist())


def legend(source, class_ids):
    """What the colours say: a list of one `Entry`, for they say nothing of classes."""
    return [Entry("Each object in a colour of its own; a crowd is grey.")]

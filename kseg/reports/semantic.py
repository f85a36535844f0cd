"""What a page shows of a source of labels: a colour for each class, and the shares of these.

Layers are uint8 `(h, w, 4)`, RGB and opacity, of the `size` `(h, w)` that is asked for.
"""

import numpy as np

from kseg.base.colors import NOT_SCORED
from kseg.pictures.image import WRONG, shrunk
from kseg.reports.entry import Entry, class_name

OPTIONS = {}
COUNTED = False  # whether a caption says more than the legend does beside a score
LAYERS = (
    ("photo", "Photo"),
    ("truth", "Truth"),
    ("prediction", "Prediction"),
    ("error", "Error"),
)
ERRORS = (Entry("wrong", (WRONG,)), Entry("not scored", (NOT_SCORED,)))


def truth(source, sample, size):
    """The labels of a sample as a layer; void is hatched."""
    label = shrunk(sample["label"], size)
    return hatched(painted(label, source.colors), label == source.void)


def prediction(source, sample, predicted, size):
    """Predicted ids `(H, W)` as a layer."""
    return painted(shrunk(predicted, size), source.colors)


def error(source, sample, predicted, size):
    """Wrong pixels red, void grey, right ones clear."""
    label, predicted = (shrunk(ids, size) for ids in (sample["label"], predicted))
    return marked(label != predicted, label == source.void)


def marked(wrong, void):
    """A layer of what is wrong and of what is not scored, two maps `(h, w)`."""
    picture = np.zeros((*wrong.shape, 4), np.uint8)
    picture[wrong] = (*WRONG, 255)
    picture[void] = (*NOT_SCORED, 150)
    return picture


def painted(ids, colors):
    """Ids `(h, w)` as a layer; those that are no class are clear."""
    table = np.zeros((len(colors) + 1, 4), np.uint8)
    table[:-1] = [(*color, 255) for color in colors]
    known = (ids >= 0) & (ids < len(colors))
    return table[np.where(known, ids, len(colors))]


def hatched(picture, void):
    """A layer with stripes, black and white to show on any, where `void` holds.

    A bare photo could be taken for a pale class.
    """
    y, x = np.indices(void.shape)
    stripe = max(1, void.shape[1] // 240)
    phase = (x + y) // stripe % 5
    for place, grey in ((0, 255), (1, 0)):
        picture[void & (phase == place)] = (grey, grey, grey, 255)
    return picture


def caption(source, sample):
    """The classes of a sample with their shares of it, largest first: a list of one `Entry`."""
    label = sample["label"]
    ids, counts = np.unique(label, return_counts=True)
    shares = [
        f"{class_name(source, ids[position])} {counts[position] / label.size:.1%}"
        for position in np.argsort(-counts, kind="stable")
    ]
    return [Entry(", ".join(shares))]


def class_ids(sample):
    """The set of class ids in a sample, void among them."""
    return set(np.unique(sample["label"]).tolist())


def legend(source, class_ids):
    """The colour of each class among `class_ids`: a list of `Entry`; unknown ids have none."""
    entries = []
    for class_id in sorted(class_ids):
        if class_id == source.void:
            entries.append(Entry("void", (None,)))
        elif 0 <= class_id < source.num_classes:
            entries.append(Entry(source.class_names[class_id], (source.colors[class_id],)))
    return entries

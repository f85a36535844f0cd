"""What a page shows of a source of labels: photos under their classes, and the shares of these."""

import numpy as np

from kseg.pictures.semantic import truth
from kseg.reports.entry import Entry, class_name

OPTIONS = {}


def overlaid(source, sample):
    """The photo of a sample with its labels laid over it: uint8 `(H, W, 3)`."""
    return hatched(truth(source, sample), sample["label"] == source.void)


def hatched(picture, void):
    """A picture `(H, W, 3)` with stripes, black and white to show on any, where `void` holds.

    A bare photo could be taken for a pale class.
    """
    y, x = np.indices(void.shape)
    stripe = max(1, void.shape[1] // 240)
    phase = (x + y) // stripe % 5
    for place, grey in ((0, 255), (1, 0)):
        picture[void & (phase == place)] = grey
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

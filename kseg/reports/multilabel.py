"""What a page shows of a source of several classes a pixel: photos under them, and their shares."""

import numpy as np

from kseg.pictures.multilabel import truth
from kseg.reports.entry import Entry
from kseg.reports.semantic import hatched

OPTIONS = {}


def overlaid(source, sample):
    """The photo of a sample with its labels laid over it: uint8 `(H, W, 3)`."""
    return hatched(truth(source, sample), (sample["label"] == source.void).all(axis=-1))


def caption(source, sample):
    """The classes of a sample with their shares of its pixels, largest first: one `Entry`."""
    shares = (sample["label"] == 1).mean(axis=(0, 1))
    order = [class_id for class_id in np.argsort(-shares, kind="stable") if shares[class_id]]
    named = [f"{source.class_names[i]} {shares[i]:.1%}" for i in order if i < source.num_classes]
    return [Entry(", ".join(named) or "no class")]


def class_ids(sample):
    """The set of class ids in a sample."""
    return set(np.flatnonzero((sample["label"] == 1).any(axis=(0, 1))).tolist())


def legend(source, class_ids):
    """The colour of each class among `class_ids`, and what mixtures are: a list of `Entry`."""
    known = [class_id for class_id in sorted(class_ids) if class_id < source.num_classes]
    entries = [Entry(source.class_names[i], (source.colors[i],)) for i in known]
    return [*entries, Entry("Where classes overlap, their colours are mixed.")]

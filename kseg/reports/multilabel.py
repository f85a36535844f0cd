"""What a page shows of a source of several classes a pixel: mixed colours, and their shares.

Layers are uint8 `(h, w, 4)`, RGB and opacity, of the `size` `(h, w)` that is asked for.
"""

import numpy as np

from kseg.pictures.image import outline, shrunk
from kseg.reports.entry import Entry
from kseg.reports.semantic import ERRORS, LAYERS, hatched, marked

OPTIONS = {}
COUNTED = False  # whether a caption says more than the legend does beside a score
__all__ = ["ERRORS", "LAYERS", "caption", "class_ids", "error", "legend", "prediction", "truth"]


def truth(source, sample, size):
    """The labels of a sample as a layer; what is void of all classes is hatched."""
    label = shrunk(sample["label"], size)
    return hatched(mixed(label == 1, source.colors), (label == source.void).all(axis=-1))


def prediction(source, sample, predicted, size):
    """Predicted labels, bool `(H, W, C)`, as a layer."""
    return mixed(shrunk(predicted, size), source.colors)


def error(source, sample, predicted, size):
    """Pixels of which a class is wrong red, those that are void of all grey, others clear."""
    label, predicted = (shrunk(each, size) for each in (sample["label"], predicted))
    scored = label != source.void
    wrong = (scored & ((label == 1) != predicted)).any(axis=-1)
    return marked(wrong, ~scored.any(axis=-1))


def mixed(held, colors):
    """The mean colour of the classes that pixels have, bool `(h, w, C)`, each class outlined."""
    count = held.sum(axis=-1, keepdims=True)
    picture = np.zeros((*held.shape[:2], 4), np.uint8)
    colors = np.reshape(colors, (-1, 3))
    picture[..., :3] = np.round((held @ colors) / np.maximum(count, 1))
    picture[..., 3] = np.where(count[..., 0] > 0, 255, 0)
    for mask, color in zip(np.moveaxis(held, -1, 0), colors):
        picture[outline(mask)] = (*color, 255)
    return picture


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

"""Regions of labels that a model contradicts. Axes: H and W the photo, C classes."""

import numpy as np

from kseg.doubts.regions import Confusions, regions, whole_regions

OPTIONS = {}
KIND = "region"
SURE = 0.5  # margin from which on a pixel is surely contradicted


def predict(model, image):
    """The probability of each class, float32 `(H, W, C)`; two of a binary model."""
    from kseg.prediction.semantic import decided

    return decided(model, _probabilities, image[None], "doubts")[0][0]


def _probabilities(logits):
    from keras import ops

    logits = ops.cast(logits, "float32")
    if logits.shape[-1] == 1:
        object_ = ops.sigmoid(logits)
        return (ops.concatenate([1.0 - object_, object_], axis=-1),)
    return (ops.softmax(logits, axis=-1),)


class Looking:
    """Through a source, photo by photo.

    Args:
        source: A `Source`.
    """

    def __init__(self, source):
        self.names = source.class_names if source.num_classes > 1 else ("no", *source.class_names)
        self.void = source.void
        classes = len(self.names)
        self.confusions = Confusions()
        self.sure = np.zeros((classes, classes), np.int64)  # pixels, given as row

    def look(self, sample, probabilities):
        """Yields kind, key, box, pixels and score of what is contradicted in a sample."""
        label = sample["label"]
        keys, margin = contradicted(label, probabilities, self.void)
        sure, classes = margin >= SURE, len(self.names)
        counts = np.bincount(keys[sure], minlength=classes**2)
        self.sure += counts.reshape(classes, classes)
        whole = list(whole_regions(label, probabilities, keys))
        rows = [*whole, *regions(keys, margin)]
        self.confusions.add(divmod(key, classes) for key, *_ in rows)
        for key, box, pixels, score in rows:
            yield KIND, divmod(key, classes), box, pixels, score

    def words(self, key):
        """What is given and what is expected, as text."""
        return tuple(self.names[class_id] for class_id in key)

    def rarity(self, key):
        """How likely, 0..1, such a label is a slip."""
        return self.confusions.rarity(key)

    def pairs(self):
        """`(given, expected)` -> pixels that are surely contradicted, most first."""
        wrong = self.sure * (1 - np.eye(len(self.names), dtype=int))
        order = np.argsort(-wrong, axis=None, kind="stable")
        places = (np.unravel_index(place, wrong.shape) for place in order)
        return {(self.names[i], self.names[j]): int(wrong[i, j]) for i, j in places if wrong[i, j]}


def contradicted(label, probabilities, void):
    """What each pixel is contradicted by, and how much.

    Args:
        label: Class ids `(H, W)`.
        probabilities: `(H, W, C)`.
        void: Id of pixels without a label.

    Returns:
        `given * C + expected` `(H, W)`, -1 where they agree or there is no label; and the margin,
        the probability of what is expected less that of what is given, 0 there.
    """
    classes = probabilities.shape[-1]
    expected = probabilities.argmax(-1)
    wrong = (label != void) & (label != expected)
    given = np.where(wrong, label, 0).astype(np.int64)
    of_given = np.take_along_axis(probabilities, given[..., None], -1)[..., 0]
    margin = np.where(wrong, probabilities.max(-1) - of_given, 0)
    return np.where(wrong, given * classes + expected, -1), margin

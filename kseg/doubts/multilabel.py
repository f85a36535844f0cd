"""Regions of labels that a model contradicts, where a pixel may have several: class by class.

Axes: H and W the photo, C classes.
"""

import numpy as np

from kseg.doubts.regions import rarity, regions

OPTIONS = {}
KIND = "region"
SURE = 0.5


def predict(model, image):
    """The probability of each class, float32 `(H, W, C)`."""
    from kseg.prediction.multilabel import probabilities_on_batch

    return probabilities_on_batch(model, image[None])[0]


class Looking:
    """Through a source, photo by photo.

    Args:
        source: A `Source`.
    """

    def __init__(self, source):
        self.names, self.void = source.class_names, source.void
        self.counts = np.zeros((len(self.names), 2, 2), np.int64)  # given, expected
        self.sure = np.zeros((len(self.names), 2, 2), np.int64)

    def look(self, sample, probabilities):
        """Yields kind, key, box, pixels and score of what is contradicted in a sample."""
        label = sample["label"]
        for class_id in range(len(self.names)):
            given, probability = label[..., class_id], probabilities[..., class_id]
            expected, scored = (probability > 0.5).astype(int), given != self.void
            wrong = scored & (given != expected)
            margin = np.where(wrong, np.abs(2 * probability - 1), 0)
            cells = given[scored].astype(int) * 2 + expected[scored]
            self.counts[class_id] += np.bincount(cells, minlength=4).reshape(2, 2)
            known = cells[margin[scored] >= SURE]
            self.sure[class_id] += np.bincount(known, minlength=4).reshape(2, 2)
            for key, box, pixels, score in regions(np.where(wrong, expected, -1), margin):
                yield KIND, (class_id, key), box, pixels, score

    def words(self, key):
        """What is given and what is expected, as text."""
        class_id, expected = key
        name = self.names[class_id]
        words = (f"no {name}", name)
        return words[1 - expected], words[expected]

    def rarity(self, key):
        """How likely, 0..1, a label is a slip where the model expects the other."""
        class_id, expected = key
        column = self.counts[class_id, :, expected]
        return rarity(column[1 - expected], column.sum())

    def pairs(self):
        """`(given, expected)` -> pixels that are surely contradicted, most first."""
        wrong = {
            self.words((class_id, expected)): int(self.sure[class_id, 1 - expected, expected])
            for class_id in range(len(self.names))
            for expected in (0, 1)
        }
        return {pair: n for pair, n in sorted(wrong.items(), key=lambda each: -each[1]) if n}

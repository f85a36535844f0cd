"""Regions of labels that a model contradicts, where a pixel may have several: class by class.

Axes: H and W the photo, C classes.
"""

import numpy as np

from kseg.doubts.regions import Confusions, regions

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
        self.confusions = Confusions()
        self.sure = np.zeros((len(self.names), 2), np.int64)  # pixels, by what is expected

    def look(self, sample, probabilities):
        """Yields kind, key, box, pixels and score of what is contradicted in a sample."""
        label, rows = sample["label"], []
        for class_id in range(len(self.names)):
            given, probability = label[..., class_id], probabilities[..., class_id]
            expected = (probability > 0.5).astype(int)
            wrong = (given != self.void) & (given != expected)
            margin = np.where(wrong, np.abs(2 * probability - 1), 0)
            self.sure[class_id] += np.bincount(expected[margin >= SURE], minlength=2)
            rows += [
                ((class_id, key), *rest)
                for key, *rest in regions(np.where(wrong, expected, -1), margin)
            ]
        self.confusions.add(key for key, *_ in rows)
        for row in rows:
            yield KIND, *row

    def words(self, key):
        """What is given and what is expected, as text."""
        class_id, expected = key
        name = self.names[class_id]
        words = (f"no {name}", name)
        return words[1 - expected], words[expected]

    def rarity(self, key):
        """How likely, 0..1, such a label is a slip."""
        return self.confusions.rarity(key)

    def pairs(self):
        """`(given, expected)` -> pixels that are surely contradicted, most first."""
        wrong = {
            self.words((class_id, expected)): int(self.sure[class_id, expected])
            for class_id in range(len(self.names))
            for expected in (0, 1)
        }
        return {pair: n for pair, n in sorted(wrong.items(), key=lambda each: -each[1]) if n}

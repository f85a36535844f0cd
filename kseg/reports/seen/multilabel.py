"""Several classes a pixel, photo by photo. Axes: H and W the photo, C classes."""

import numpy as np

from kseg.metrics.confusion import multilabel_counts, scores
from kseg.reports.seen.borders import Borders

OPTIONS = {}
SCORED = {}
SCORE = "mean IoU"
THRESHOLD = 0.5
BINS = 15
PROTOCOL = (
    "Of each class every label that is not void counts, as of a binary problem; a pixel has a "
    "class above a probability of 0.5. Each photo is scored at its own size. No test-time "
    "augmentation."
)
TILES = (
    ("mean_iou", "mean IoU"),
    ("mean_dice", "mean Dice"),
    ("pixel_accuracy", "labels right"),
)
BAR = "iou"
COLUMNS = (("iou", "IoU"), ("dice", "Dice"), ("accuracy", "recall"), ("precision", "precision"))
COUNT = "pixels"


def predict(model, image):
    """The probability of each class, `(H, W, C)`."""
    from kseg.prediction.predict import predict

    return predict(model, image, probabilities=True)


def answer(predicted):
    """What is drawn of a prediction: the classes above the threshold."""
    return predicted > THRESHOLD


class Seen:
    """What is counted of the photos of a source."""

    def __init__(self, source):
        self.source, self.borders, self.groups = source, Borders(), {}
        self.bins = np.zeros((3, BINS))  # labels, the sum of their probabilities, how many hold

    def add(self, sample, predicted, group):
        """Counts a photo and gives its score, NaN where nothing of it is labelled."""
        label, held = sample["label"], predicted > THRESHOLD
        counts = multilabel_counts(label[None], held[None], self.source.void)
        self.groups[group] = self.groups.get(group, 0) + counts
        scored = label != self.source.void
        for one, wrong, known in zip(
            *(np.moveaxis(x, -1, 0) for x in (label, label != held, scored))
        ):
            self.borders.add(one, wrong, known)
        sure, right = predicted[scored].astype(float), label[scored] == 1
        places = np.minimum((sure * BINS).astype(int), BINS - 1)
        for row, weights in zip(self.bins, (None, sure, right)):
            row += np.bincount(places, weights, BINS)
        return float(scores(counts)["mean_iou"]) if scored.any() else float("nan")

    def of_groups(self):
        """Group -> its mean IoU, of all its pixels."""
        return {name: float(scores(each)["mean_iou"]) for name, each in self.groups.items()}

    def calibration(self, numbers):
        """Triples of probability, how often it held, and share of all, by bin."""
        labels, sure, right = self.bins
        return [
            (s / n, r / n, n / labels.sum()) if n else (float("nan"),) * 3
            for n, s, r in zip(labels, sure, right)
        ]

    def sizes(self):
        """Nothing: labels have no sizes."""
        return []

    def confusion(self, numbers):
        """Of each class: right, missed, too much, rightly not there."""
        counts = np.array(numbers["confusion"])
        table = np.stack([counts[:, 1, 1], counts[:, 1, 0], counts[:, 0, 1], counts[:, 0, 0]], 1)
        columns = ["found", "missed", "too much", "rightly absent"]
        return list(self.source.class_names), columns, table
